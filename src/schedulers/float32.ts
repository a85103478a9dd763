/*
 * PyTorch and NumPy compute noise schedules in float32, and a timestep found through a logarithm shows every bit of it.
 * These functions round as theirs do, so that timesteps are equal and not only near.
 */

const { fround } = Math

/** a·b + c rounded once, as the processor's fused operation. */
function fma(a: number, b: number, c: number): number {
  return fround(a * b + c)
}

/** How many values PyTorch computes at once. */
const LANES = 8

/** `torch.linspace` in float32: groups of values count from their first, and those of the second half from the end. */
export function linspaceFloat32(start: number, end: number, steps: number): Float32Array {
  const [from, to] = [fround(start), fround(end)]
  if (steps === 1) return Float32Array.of(from)
  const step = fround(fround(to - from) / (steps - 1))
  const at = (i: number) => (i < Math.floor(steps / 2) ? fma(step, i, from) : fma(-step, steps - 1 - i, to))
  const grouped = steps - (steps % (2 * LANES))
  return Float32Array.from({ length: steps }, (_, i) => {
    if (i >= grouped) return at(i)
    const lane = i % LANES
    return lane === 0 ? at(i) : fma(step, lane, at(i - lane))
  })
}

// log(1 + x) ≈ P(x)/Q(x) on [√½ − 1, √2 − 1], highest power first.
const P = [0.025899791179079226, 0.3808837741388408, 1.4800006335765066, 2.112677543073053, 1, 0]
const Q = [0.005875095403124574, 0.15464763749839067, 0.9864942958519419, 2.453006071784736, 2.6126775430731093, 1]

/** `numpy.log` of a positive float32, of which the last bit is not always right. */
export function logFloat32(value: number): number {
  let exponent = Math.floor(Math.log2(value)) + 1
  let mantissa = value / 2 ** exponent
  if (mantissa <= Math.SQRT1_2) {
    mantissa *= 2
    exponent--
  }
  const x = fround(mantissa - 1)
  const polynomial = (coefficients: readonly number[]) =>
    coefficients.map(fround).reduce((sum, coefficient) => fma(sum, x, coefficient))
  return fma(exponent, fround(Math.LN2), fround(polynomial(P) / polynomial(Q)))
}

// (eˣ − 1 − x)/x² near 0, highest power first.
const E = [0.000198527618, 0.0013930436, 0.0083333608, 0.041666485, 0.16666667, 0.5].map(fround)

/** `torch.exp` of a float32, of which the last bit is not always right. */
export function expFloat32(value: number): number {
  if (value < -104) return 0
  const power = Math.round(fround(value * fround(Math.LOG2E)))
  // ln 2 in two parts, so that the rest keeps all of its bits.
  const x = fma(power, -fround(1.4286068e-6), fma(power, -fround(0.69314575), value))
  const series = E.reduce((sum, coefficient) => fma(sum, x, coefficient))
  return fround(fround(1 + fma(fround(x * x), series, x)) * 2 ** power)
}
