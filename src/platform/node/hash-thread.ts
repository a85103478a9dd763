import type { FileHandle } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { BlobNaming } from '../../hub/hash'
import type { FileHash } from './file-hash'

/** How long the thread waits for the next file before it ends, in milliseconds. */
const LINGER = 2000

/**
 * The program of the thread: a piece of each file in turn, and messages in between. It is text because no file of its own
 * would be found alike from the sources and from the builds. A file's descriptor is the whole process's, so the thread
 * reads what the other one has written.
 */
const PROGRAM = `
const { parentPort } = require('node:worker_threads')
const { readSync } = require('node:fs')
const { createHash } = require('node:crypto')
const bytes = Buffer.allocUnsafeSlow(2 ** 20)
const files = new Map()
let isWorking = false

function hashPiece(file) {
  const length = readSync(file.fd, bytes, 0, Math.min(bytes.length, file.end - file.offset), file.offset)
  if (length === 0) throw new Error('the file became shorter while it was hashed')
  file.hash.update(bytes.subarray(0, length))
  file.offset += length
}

function work() {
  isWorking = false
  for (const [id, file] of files) {
    try {
      if (file.offset < file.end) hashPiece(file)
    } catch (error) {
      file.error = error
      file.end = file.offset
    }
    if (file.offset < file.end) wake()
    else if (file.isAsked) {
      file.isAsked = false
      parentPort.postMessage({ id, task: 'digest', error: file.error, result: file.error ? '' : file.hash.digest('hex') })
    }
  }
}

function wake() {
  if (!isWorking) setImmediate(work)
  isWorking = true
}

const tasks = {
  start: ({ id, fd, algorithm, header }) => files.set(id, { fd, offset: 0, end: 0, hash: createHash(algorithm).update(header) }),
  advance({ id, size }) {
    if (!files.get(id).error) files.get(id).end = size
  },
  digest({ id }) {
    files.get(id).isAsked = true
  },
  close({ id }) {
    files.delete(id)
    parentPort.postMessage({ id, task: 'close', result: '' })
  },
}
parentPort.on('message', (message) => {
  tasks[message.task](message)
  wake()
})`

/** What the thread answers to `digest` and `close`. */
interface Answer {
  readonly id: number
  readonly task: 'digest' | 'close'
  readonly result: string
  readonly error?: Error
}

/** Waits for an answer of the thread. */
interface Waiting {
  resolve(result: string): void
  reject(error: unknown): void
}

/** A thread of the process that hashes files while they are written. It is started when needed and ends when idle. */
export class HashThread {
  /** The thread that runs, if one does: there is one for the process. */
  static #running?: HashThread
  readonly #worker = new Worker(PROGRAM, { eval: true, execArgv: [] })
  readonly #waiting = new Map<string, Waiting>()
  #started = 0
  #active = 0
  #idle?: ReturnType<typeof setTimeout>
  #error?: unknown

  private constructor() {
    this.#worker.on('message', ({ id, task, result, error }: Answer) => {
      const waiting = this.#take(`${task} ${id}`)
      if (error) waiting?.reject(error)
      else waiting?.resolve(result)
    })
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', () => this.#fail(new Error('the thread that hashes has ended')))
  }

  /** The thread, started if need be. */
  static get(): HashThread {
    HashThread.#running ??= new HashThread()
    return HashThread.#running
  }

  /** Hashes a file that is being written. The handle must stay open until the hash is closed. */
  start({ fd }: FileHandle, naming: BlobNaming): FileHash {
    const id = this.#started++
    clearTimeout(this.#idle)
    if (this.#active++ === 0) this.#worker.ref()
    this.#worker.postMessage({ task: 'start', id, fd, ...naming })
    return {
      advance: (size) => this.#worker.postMessage({ task: 'advance', id, size }),
      digest: () => this.#ask('digest', id),
      close: async () => {
        // The descriptor's number may soon be another file's: the thread must have let go of it.
        await this.#ask('close', id).catch(() => {})
        if (--this.#active === 0) this.#rest()
      },
    }
  }

  #ask(task: Answer['task'], id: number): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error)
      this.#waiting.set(`${task} ${id}`, { resolve, reject })
      this.#worker.postMessage({ task, id })
    })
  }

  #take(key: string): Waiting | undefined {
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    return waiting
  }

  /** Nothing to do: the process may end, and the thread does after a while. */
  #rest(): void {
    this.#worker.unref()
    this.#idle = setTimeout(() => {
      if (HashThread.#running === this) HashThread.#running = undefined
      this.#worker.terminate()
    }, LINGER).unref()
  }

  #fail(error: unknown): void {
    this.#error ??= error
    if (HashThread.#running === this) HashThread.#running = undefined
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}
