/** Does a piece of work when all earlier ones are done, whether they succeeded or not. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>

/** A queue in which one thing is done at a time, in the order of the calls. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const turn = last.then(work)
    last = turn.catch(() => undefined)
    return turn
  }
}
