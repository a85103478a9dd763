const scratch = new DataView(new ArrayBuffer(4))

/** float16 bits → number (IEEE 754 binary16, subnormals and infinities included). */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** number → float16 bits, rounded half to even; beyond ±65504 it becomes infinity. */
export function numberToFloat16(value: number): number {
  scratch.setFloat32(0, value)
  const bits = scratch.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Subnormal: the value in units of 2^-24, rounded half to even by hand.
    const units = Math.abs(value) * 2 ** 24
    const floor = Math.floor(units)
    const rest = units - floor
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor & 1) ? 1 : 0))
  }
  const rounded = magnitude + 0xfff + ((magnitude >> 13) & 1)
  return sign | ((rounded - 0x38000000) >> 13)
}

/** bfloat16 bits → number. */
export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16)
  return scratch.getFloat32(0)
}
