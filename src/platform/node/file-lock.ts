import { readlinkSync } from 'node:fs'
import { mkdir, open, readFile, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { RuntimeError } from '../../core/errors'

/** How often a holder shows that it lives, in milliseconds. */
const HEARTBEAT = 2000
/** A lock whose heartbeat was not seen for so long belongs to nobody any more, in milliseconds. */
const STALE = 15_000
/** How old the guard of a removal must be to be left over, in milliseconds. */
const GUARD_STALE = 60_000
/** How often a waiting process looks, in milliseconds. */
const POLL = 100

let count = 0

/** What a holder writes into its lock: unique, so that a lock taken over is recognised. */
interface Owner {
  readonly machine: string
  readonly pid: number
  readonly id: string
}

/** Process numbers mean something only inside one machine and one container. */
const machine = `${hostname()} ${pidNamespace()}`

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/**
 * Runs `body` while no other holder of the lock does, in this process or another. Node has no `flock`, so the lock is a
 * file that is created exclusively, holds its owner's process number, and whose modification time its owner renews
 * every two seconds. It is taken over when that process is gone (a `SIGKILL` leaves the file), or, where that cannot be
 * told, when the waiting process watched it for 15 seconds and it was not renewed.
 *
 * @param path - The lock's file. Its folder is made.
 * @param body - Is given a function that throws when the lock was taken over, after a sleep of the machine for example:
 *   to be called before what must not happen twice.
 * @param options - `signal` ends the waiting; `staleAfter` is the time after which a lock that is not renewed is free,
 *   in milliseconds.
 */
export async function withFileLock<T>(
  path: string,
  body: (check: () => Promise<void>) => Promise<T>,
  options: { readonly signal?: AbortSignal; readonly staleAfter?: number } = {},
): Promise<T> {
  const owner: Owner = { machine, pid: process.pid, id: `${Date.now()}-${process.hrtime.bigint()}-${count++}` }
  const text = JSON.stringify(owner)
  await mkdir(dirname(path), { recursive: true })
  await acquire(path, text, options.staleAfter ?? STALE, options.signal)
  const check = async () => {
    if ((await read(path)) !== text) {
      throw new RuntimeError('cache', `the lock ${path} was taken over by another process: try again`)
    }
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    // Who was overtaken must not renew the other's lock. `check` tells the body.
    check()
      .then(() => utimes(path, now, now))
      .catch(() => {})
  }, HEARTBEAT)
  try {
    return await body(check)
  } finally {
    clearInterval(heartbeat)
    if ((await read(path)) === text) await unlink(path).catch(() => {})
  }
}

async function acquire(path: string, text: string, staleAfter: number, signal?: AbortSignal): Promise<void> {
  // Looks are counted, not the time: a process that was busy or asleep has not seen that nothing happened.
  let seen = { text: '', mtime: 0, looks: 0 }
  for (;;) {
    signal?.throwIfAborted()
    if (await create(path, text)) return
    const holder = await read(path)
    const mtime = await stat(path).then(
      (info) => info.mtimeMs,
      () => 0,
    )
    if (holder !== undefined) {
      const isSame = holder === seen.text && mtime === seen.mtime
      seen = { text: holder, mtime, looks: isSame ? seen.looks + 1 : 0 }
      if (isGone(holder) || seen.looks * POLL > staleAfter) {
        await breakLock(path, holder)
      }
    }
    await delay(POLL, undefined, { signal }).catch(() => {})
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    try {
      await file.writeFile(text)
    } catch (error) {
      await unlink(path)
      throw error
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

/** The lock's text; `undefined` when it is free. */
async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}

/** Whether the holder is a process of this machine that does not exist any more. */
function isGone(text: string): boolean {
  let owner: Partial<Owner>
  try {
    owner = JSON.parse(text)
  } catch {
    return false // Being written at this moment, or no lock of ours: time will tell.
  }
  if (owner.machine !== machine || typeof owner.pid !== 'number' || owner.pid === process.pid) return false
  try {
    process.kill(owner.pid, 0)
    return false
  } catch (error) {
    return isCode(error, 'ESRCH')
  }
}

/**
 * Removes the lock of a holder that is gone. Several processes may have judged so, and one of them may hold the lock by
 * now: so one at a time looks once more and removes it, guarded by a file of its own.
 */
async function breakLock(path: string, judged: string): Promise<void> {
  const guard = `${path}.breaking`
  if (!(await create(guard, ''))) {
    // Who was killed within these few microseconds leaves the guard behind.
    const info = await stat(guard).catch(() => undefined)
    if (info && Date.now() - info.mtimeMs > GUARD_STALE) await unlink(guard).catch(() => {})
    return
  }
  try {
    if ((await read(path)) === judged) await unlink(path)
  } finally {
    await unlink(guard).catch(() => {})
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
