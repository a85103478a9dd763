const scratch = new DataView(new ArrayBuffer(8))

/** float16 bits → number (IEEE 754 binary16, subnormals and infinities included). */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** How many float16 steps make 1, for the binary exponents from -14 (and all below) to 15. */
const STEPS_PER_ONE = Array.from({ length: 30 }, (_, i) => 2 ** (24 - i))

/** number → float16 bits, rounded once, half to even; from 65520 on it becomes infinity. */
export function numberToFloat16(value: number): number {
  scratch.setFloat64(0, value)
  const high = scratch.getUint32(0)
  const sign = (high >>> 16) & 0x8000
  if (Number.isNaN(value)) return sign | 0x7e00
  const magnitude = Math.abs(value)
  if (magnitude >= 65520) return sign | 0x7c00
  const binade = Math.max(((high >>> 20) & 0x7ff) - 1023 + 14, 0)
  // Next to 2^52 there is no room for a fraction, so the sum is rounded to an integer, half to even.
  const steps = magnitude * STEPS_PER_ONE[binade] + 2 ** 52 - 2 ** 52
  // Normal numbers have at least 1024 steps: the leading one counts up the exponent field.
  return sign | ((binade << 10) + steps)
}

/** bfloat16 bits → number. */
export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16)
  return scratch.getFloat32(0)
}
