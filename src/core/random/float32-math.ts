/**
 * The logarithm, sine and cosine of PyTorch's vectorised Box-Muller, bit for bit: the single-precision polynomials of
 * the Cephes library (S. Moshier), whose error of an ulp or so would otherwise show in the noise. `fma` stands where
 * the compiled code has a fused multiply-add.
 */
const { fround } = Math

const scratch = new DataView(new ArrayBuffer(4))

/** a · b + c, rounded once: the product of two float32 numbers is exact in float64. */
function fma(a: number, b: number, c: number): number {
  return fround(a * b + c)
}

const LN_2_HIGH = fround(0.693359375)
const LN_2_LOW = fround(-2.1219444e-4)
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(fround)

/** Natural logarithm of a positive, normal float32 number. */
export function log32(value: number): number {
  // value = (1 + x) · 2^exponent with 1 + x in [√½, √2)
  scratch.setFloat32(0, value)
  const bits = scratch.getInt32(0)
  scratch.setInt32(0, (bits & 0x007fffff) | 0x3f000000)
  let exponent = (bits >> 23) - 126
  let x = scratch.getFloat32(0)
  if (x < fround(Math.SQRT1_2)) {
    exponent--
    x += x
  }
  x = fround(x - 1)
  const square = fround(x * x)
  let y = LOG[0]
  for (let i = 1; i < 9; i++) y = fma(y, x, LOG[i])
  y = fma(fround(y * x), square, fround(exponent * LN_2_LOW))
  y = fma(square, -0.5, y)
  return fma(exponent, LN_2_HIGH, fround(x + y))
}

const FOUR_OVER_PI = fround(4 / Math.PI)
// π/4 in three parts, so that multiples of the first two are exact.
const QUARTER_PI = [fround(-0.78515625), fround(-2.4187564849853516e-4), fround(-3.774894977445941e-8)] as const
const COSINE = [fround(2.443315711809948e-5), fround(-1.388731625493765e-3), fround(4.166664568298827e-2)] as const
const SINE = [fround(-1.9515295891e-4), fround(8.3321608736e-3), fround(-1.6666654611e-1)] as const

/** Writes sine and cosine of an angle, float32 and 0 or more, to `out`. */
export function sinCos32(angle: number, out: Float32Array): void {
  const octant = (Math.trunc(fround(angle * FOUR_OVER_PI)) + 1) & ~1
  const x = fma(octant, QUARTER_PI[2], fma(octant, QUARTER_PI[1], fma(octant, QUARTER_PI[0], angle)))
  const square = fround(x * x)
  const cosineTail = fround(fma(fma(COSINE[0], square, COSINE[1]), square, COSINE[2]) * square)
  const cosine = fround(fma(square, -0.5, fround(cosineTail * square)) + 1)
  const sineTail = fround(fma(fma(SINE[0], square, SINE[1]), square, SINE[2]) * square)
  const sine = fma(sineTail, x, x)
  const swapped = (octant & 2) !== 0
  out[0] = (octant & 4 ? -1 : 1) * (swapped ? cosine : sine)
  out[1] = ((octant + 2) & 4 ? -1 : 1) * (swapped ? sine : cosine)
}
