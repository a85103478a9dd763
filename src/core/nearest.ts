/** What a missing letter counts, beside a wrong or needless one: names are more often cut short than misspelt. */
const MISSING = 1 / 3

/** What it takes to turn `a` into `b`, letter by letter (a weighted Levenshtein distance). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j * MISSING)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + MISSING, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/**
 * The known names closest to a misspelt one, best first: for the "did you mean" of an error. Letter case does not count.
 *
 * @param name - What was given.
 * @param known - What there is.
 * @param count - How many to name at most.
 */
export function nearest(name: string, known: readonly string[], count = 3): string[] {
  const given = name.toLowerCase()
  return known
    .map((candidate) => ({ candidate, distance: editDistance(given, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}
