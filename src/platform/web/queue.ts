let last: Promise<unknown> = Promise.resolve()

/**
 * Does one thing at a time, in the order of the calls: ONNX Runtime's WebAssembly module exists once a page, and neither
 * creates nor runs two sessions at once.
 */
export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = last.then(work)
  last = turn.catch(() => undefined)
  return turn
}
