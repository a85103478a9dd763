/** What a method of second order visits: the start of each step, and its end, which is the start of the next, again. */
export function twiceButFirst(values: readonly number[]): number[] {
  return values.flatMap((value, i) => (i === 0 ? [value] : [value, value]))
}
