const tails = new Map<string, Promise<unknown>>()

/**
 * Does `work` while no one else does something under the same name, also in other tabs and workers of the origin.
 *
 * @param signal - Ends the waiting: it rejects with the signal's reason.
 */
export async function withLock<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted()
  const { locks } = globalThis.navigator ?? {}
  // Without Web Locks there is no storage that others could share either.
  return locks ? locks.request(`latentkit ${name}`, { signal }, work) : inTurn(name, work, signal)
}

async function inTurn<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const before = tails.get(name) ?? Promise.resolve()
  const turn = before.then(() => {
    signal?.throwIfAborted()
    return work()
  })
  const tail = turn.catch(() => {})
  tails.set(name, tail)
  void tail.then(() => tails.get(name) === tail && tails.delete(name))
  if (!signal) return turn
  return Promise.race([turn, aborted(signal, before)])
}

/** Rejects when the signal aborts before `until` is over. */
function aborted(signal: AbortSignal, until: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    void until.then(() => signal.removeEventListener('abort', onAbort))
  })
}

const held = new Set<string>()

/** Says that the thing of this name is in use, until the page or worker ends. */
export async function hold(name: string): Promise<void> {
  if (held.has(name)) return
  held.add(name)
  const { locks } = globalThis.navigator ?? {}
  if (!locks) return
  await new Promise<void>((resolve, reject) => {
    const forever = () => {
      resolve()
      return new Promise<never>(() => {})
    }
    locks.request(useOf(name), { mode: 'shared' }, forever).catch(reject)
  })
}

/** Whether any page or worker of the origin holds the thing of this name. */
export async function isHeld(name: string): Promise<boolean> {
  const { locks } = globalThis.navigator ?? {}
  if (held.has(name) || !locks) return held.has(name)
  return locks.request(useOf(name), { ifAvailable: true }, (lock) => lock === null)
}

const useOf = (name: string) => `latentkit ${name} in use`
