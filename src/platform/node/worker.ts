import { parentPort, Worker } from 'node:worker_threads'
import { StateError } from '../../core/errors'
import type { Port, Thread } from '../../pipelines/remote/protocol'

/** Starts the script, which lies beside this file once both are built; the sources (in tests) are read by tsx. */
function startScript(): Worker {
  const name = 'latentkit'
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./worker-thread.js', import.meta.url), { name })
  const script = new URL('../../worker-thread.ts', import.meta.url)
  const code = `import('tsx/esm/api').then((tsx) => (tsx.register(), import('${script}')))`
  return new Worker(code, { name, eval: true, execArgv: [] })
}

/** Starts a thread of `node:worker_threads` in which pipelines are loaded. */
export function startWorkerThread(): Thread {
  const worker = startScript()
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
