const utf8 = new TextEncoder()

/** Writes one protobuf message (proto3 wire format): fields in the order of the calls. */
export class ProtobufWriter {
  private bytes = new Uint8Array(256)
  private length = 0

  /** A varint field: int32, int64 (also negative), uint64, bool or enum. */
  int(field: number, value: number | bigint): this {
    this.varint(field << 3)
    this.varint(value)
    return this
  }

  /** A 32-bit float field. */
  float(field: number, value: number): this {
    this.varint((field << 3) | 5)
    this.reserve(4)
    new DataView(this.bytes.buffer).setFloat32(this.length, value, true)
    this.length += 4
    return this
  }

  /** A length-delimited field: a string, bytes or an embedded message. */
  field(field: number, value: string | Uint8Array | ProtobufWriter): this {
    const payload =
      typeof value === 'string' ? utf8.encode(value) : value instanceof ProtobufWriter ? value.finish() : value
    this.varint((field << 3) | 2)
    this.varint(payload.length)
    return this.raw(payload)
  }

  /** Fields that are serialised already. */
  raw(bytes: Uint8Array): this {
    this.reserve(bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
    return this
  }

  /** The message so far, as a view that the next write may invalidate. */
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  private varint(value: number | bigint): void {
    this.reserve(10)
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest > 127n) {
      this.bytes[this.length++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.bytes[this.length++] = Number(rest)
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
