import type { Port, Thread } from '../../pipelines/remote/protocol'
import { baseUrl } from './page'

/** Starts a module worker in which pipelines are loaded. */
export function startWebWorker(): Thread {
  // Bundlers look for exactly this form, and build the worker along with the page.
  const worker = new Worker(new URL('../../worker-web-thread.js', import.meta.url), {
    type: 'module',
    name: 'latentkit',
  })
  let isReady = false
  worker.addEventListener('message', () => (isReady = true), { once: true })
  return {
    environment: { baseUrl: baseUrl() },
    postMessage: (message, transfer) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => worker.addEventListener('message', ({ data }) => listener(data)),
    onEnd(listener) {
      worker.addEventListener('error', (event) => {
        // Later errors are nobody's: those of runs come as answers.
        if (!isReady) listener(event.error ?? new Error(event.message ?? 'its script could not be loaded'))
      })
    },
    // Workers end with their page.
    hold: () => undefined,
    end: async () => worker.terminate(),
  }
}

/** In such a worker: the line to the page. */
export function page(): Port {
  return {
    postMessage: (message, transfer) => globalThis.postMessage(message, { transfer: [...transfer] }),
    onMessage: (listener) => globalThis.addEventListener('message', ({ data }) => listener(data)),
  }
}
