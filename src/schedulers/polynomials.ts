/**
 * The Lagrange polynomials through some nodes, each as its coefficients from the constant up: the i-th is 1 at the i-th
 * node and 0 at the others, so that Σ values[i] · basis[i] goes through all values.
 */
export function lagrangeBasis(nodes: readonly number[]): number[][] {
  return nodes.map((node, i) => {
    let polynomial = [1]
    for (const [j, other] of nodes.entries()) {
      if (i === j) continue
      // Times (u − other) / (node − other).
      const shifted = [0, ...polynomial]
      polynomial = shifted.map((c, power) => (c - other * (polynomial[power] ?? 0)) / (node - other))
    }
    return polynomial
  })
}

/** ∫ e^(rate·u) · u^k du from −width to 0, for k from 0 up to `count` − 1, each from the one before by parts. */
function exponentialMoments(rate: number, width: number, count: number): number[] {
  const moments = [-Math.expm1(-rate * width) / rate]
  const start = Math.exp(-rate * width)
  for (let k = 1; k < count; k++) moments.push((-((-width) ** k) * start - k * moments[k - 1]) / rate)
  return moments
}

/**
 * ∫ e^(rate·u) · p(u) du from −width to 0 as weights of the values that the polynomial p takes at some nodes: what an
 * exponential integrator makes of the outputs at those nodes.
 */
export function exponentialWeights(nodes: readonly number[], rate: number, width: number): number[] {
  const moments = exponentialMoments(rate, width, nodes.length)
  return lagrangeBasis(nodes).map((polynomial) => polynomial.reduce((sum, c, power) => sum + c * moments[power], 0))
}

/** The solution x of matrix · x = right side, a small system, by elimination with the largest pivot. */
export function solveLinear(matrix: readonly (readonly number[])[], rightSide: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, rightSide[i]])
  for (let column = 0; column < rows.length; column++) {
    const rest = rows.slice(column).map((row) => Math.abs(row[column]))
    const pivot = column + rest.indexOf(Math.max(...rest))
    const swapped = rows[column]
    rows[column] = rows[pivot]
    rows[pivot] = swapped
    for (const row of rows.slice(column + 1)) {
      const factor = row[column] / rows[column][column]
      for (let k = column; k < row.length; k++) row[k] -= factor * rows[column][k]
    }
  }
  const solution: number[] = []
  for (let i = rows.length - 1; i >= 0; i--) {
    const known = solution.reduce((sum, x, k) => sum + x * rows[i][i + 1 + k], 0)
    solution.unshift((rows[i][rows.length] - known) / rows[i][i])
  }
  return solution
}
