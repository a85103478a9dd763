/**
 * The logarithm, sine and cosine of PyTorch's vectorised Box-Muller, bit for bit: the single-precision polynomials of
 * the Cephes library (S. Moshier), whose error of an ulp or so would otherwise show in the noise. `fma` stands where
 * the compiled code has a fused multiply-add. They take whole arrays, and their polynomials are written out: an
 * element's long chain of operations then runs beside its neighbours'.
 */
const { fround } = Math

/** a · b + c, rounded once: the product of two float32 numbers is exact in float64. */
function fma(a: number, b: number, c: number): number {
  return fround(a * b + c)
}

const SQRT_HALF_BITS = 0x3f3504f3
const LN_2_HIGH = fround(0.693359375)
const LN_2_LOW = fround(-2.1219444e-4)
const L0 = fround(7.0376836292e-2)
const L1 = fround(-1.151461031e-1)
const L2 = fround(1.167699874e-1)
const L3 = fround(-1.2420140846e-1)
const L4 = fround(1.4249322787e-1)
const L5 = fround(-1.6668057665e-1)
const L6 = fround(2.0000714765e-1)
const L7 = fround(-2.4999993993e-1)
const L8 = fround(3.3333331174e-1)

/**
 * Replaces the first `count` values, positive and normal ones, by their natural logarithms.
 *
 * @param bits - The same memory as integers.
 */
export function log32(values: Float32Array, bits: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    // value = (1 + x) · 2^exponent with 1 + x in [√½, √2)
    const exponent = (bits[i] - SQRT_HALF_BITS) >> 23
    bits[i] -= exponent << 23
    const x = values[i] - 1
    const square = fround(x * x)
    let y = fma(fma(fma(fma(L0, x, L1), x, L2), x, L3), x, L4)
    y = fma(fma(fma(fma(y, x, L5), x, L6), x, L7), x, L8)
    y = fma(fround(y * x), square, fround(exponent * LN_2_LOW))
    y = fma(square, -0.5, y)
    values[i] = fma(exponent, LN_2_HIGH, fround(x + y))
  }
}

const FOUR_OVER_PI = fround(4 / Math.PI)
// π/4 in three parts, so that multiples of the first two are exact.
const PI_0 = fround(-0.78515625)
const PI_1 = fround(-2.4187564849853516e-4)
const PI_2 = fround(-3.774894977445941e-8)
const C0 = fround(2.443315711809948e-5)
const C1 = fround(-1.388731625493765e-3)
const C2 = fround(4.166664568298827e-2)
const S0 = fround(-1.9515295891e-4)
const S1 = fround(8.3321608736e-3)
const S2 = fround(-1.6666654611e-1)
const QUARTER_SINES = Float64Array.of(0, 1, 0, -1)
const QUARTER_COSINES = Float64Array.of(1, 0, -1, 0)

/**
 * Sine and cosine of `count` angles of 0 or more.
 *
 * @param angles - Replaced by their sines.
 * @param cosines - Where the cosines go.
 */
export function sinCos32(angles: Float32Array, cosines: Float32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const angle = angles[i]
    const octant = ((fround(angle * FOUR_OVER_PI) | 0) + 1) & ~1
    const x = fma(octant, PI_2, fma(octant, PI_1, octant * PI_0 + angle))
    const square = fround(x * x)
    const cosineTail = fround(fma(fma(C0, square, C1), square, C2) * square)
    const cosine = fround(fma(square, -0.5, fround(cosineTail * square)) + 1)
    const sineTail = fround(fma(fma(S0, square, S1), square, S2) * square)
    const sine = fma(sineTail, x, x)
    // The quarter turns that were taken off are put back without a branch, which no processor could predict.
    const quarter = (octant >> 1) & 3
    const [sineOfQuarter, cosineOfQuarter] = [QUARTER_SINES[quarter], QUARTER_COSINES[quarter]]
    angles[i] = sine * cosineOfQuarter + cosine * sineOfQuarter
    cosines[i] = cosine * cosineOfQuarter - sine * sineOfQuarter
  }
}
