/** log Γ(x) for x > 0, by Lanczos's approximation (g = 7, n = 9), good to 15 digits. */
function logGamma(x: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
    -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ]
  // Γ(x) = Γ(x + 1) / x keeps the series where it is accurate.
  if (x < 0.5) return logGamma(x + 1) - Math.log(x)
  const z = x - 1
  const sum = coefficients.reduce((total, c, i) => total + c / (z + i + 1), 0.9999999999998099)
  const t = z + 7.5
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum)
}

/** The continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22). */
function betaFraction(x: number, a: number, b: number): number {
  const nudge = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value)
  let c = 1
  let d = 1 / nudge(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    for (const term of [even, odd]) {
      d = 1 / nudge(1 + term * d)
      c = nudge(1 + term / c)
      fraction *= c * d
    }
    if (Math.abs(c * d - 1) < 1e-16) break
  }
  return fraction
}

/** The distribution function of the beta distribution: the chance of a value below `x`, for `x` in [0, 1]. */
function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)
  // The fraction converges fast on the lower side only; the other follows by symmetry.
  if (x < (a + 1) / (a + b + 2)) return (Math.exp(logFront) * betaFraction(x, a, b)) / a
  return 1 - (Math.exp(logFront) * betaFraction(1 - x, b, a)) / b
}

/** The quantile function of the beta distribution (`scipy.stats.beta.ppf`), by bisection to the last bit. */
export function betaQuantile(probability: number, a: number, b: number): number {
  if (probability <= 0) return 0
  if (probability >= 1) return 1
  // Small results keep their precision on the side of 0: the upper half is 1 − the quantile of the mirrored distribution.
  if (probability > betaCdf(0.5, a, b)) return 1 - betaQuantile(1 - probability, b, a)
  let low = 0
  let high = 0.5
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return middle
    if (betaCdf(middle, a, b) < probability) low = middle
    else high = middle
  }
}
