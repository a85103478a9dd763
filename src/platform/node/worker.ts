import { parentPort, Worker } from 'node:worker_threads'
import { StateError } from '../../core/errors'
import type { Port, Thread } from '../../pipelines/remote/protocol'

/**
 * Starts a thread of `node:worker_threads` in which pipelines are loaded.
 *
 * The thread gets the options of the process, except the one for a program on the command line, which it would refuse.
 *
 * @param script - What it runs; from the sources (in tests) tsx reads it.
 */
export function startWorkerThread(script: URL): Thread {
  const name = 'latentkit'
  const fromSources = `import('tsx/esm/api').then((tsx) => (tsx.register(), import('${script}')))`
  const worker = script.pathname.endsWith('.ts')
    ? new Worker(fromSources, { name, eval: true, execArgv: [] })
    : new Worker(script, { name, execArgv: process.execArgv.filter((option) => !option.startsWith('--input-type')) })
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (listener) => void worker.on('message', listener),
    onEnd(listener) {
      worker.on('error', listener)
      worker.on('exit', (code) => listener(new Error(`exit code ${code}`)))
    },
    hold: (isBusy) => (isBusy ? worker.ref() : worker.unref()),
    async end() {
      worker.ref()
      void worker.terminate()
      await ended
    },
  }
}

/**
 * In such a thread: the line to the one that started it.
 *
 * @throws StateError in the main thread.
 */
export function parentThread(): Port {
  const port = parentPort
  if (!port) throw new StateError('worker', 'this script runs in a worker thread alone: got the main thread')
  return {
    postMessage: (message, transfer) => port.postMessage(message, transfer),
    onMessage: (listener) => void port.on('message', listener),
  }
}
