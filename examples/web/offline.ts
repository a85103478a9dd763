/** How long the page waits for its service worker: without one it works too, with a network. */
const PATIENCE = 3000

/** Starts the service worker, and lets it keep what the page consists of so far. */
export async function keepForOffline(): Promise<void> {
  const { serviceWorker } = navigator
  if (!serviceWorker) return
  try {
    await serviceWorker.register('./sw.js', { type: 'module' })
    await Promise.race([controlled(serviceWorker), new Promise((resolve) => setTimeout(resolve, PATIENCE))])
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name)
    const own = [location.href, ...loaded].filter((address) => address.startsWith(location.origin))
    serviceWorker.controller?.postMessage(own.filter((address) => !address.includes('/tiny-shapes/')))
  } catch (error) {
    console.warn('The page will not open without a network:', error)
  }
}

async function controlled(container: ServiceWorkerContainer): Promise<void> {
  if (container.controller) return
  await new Promise((resolve) => container.addEventListener('controllerchange', resolve, { once: true }))
}
