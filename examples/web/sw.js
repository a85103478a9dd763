// Keeps the page itself, so that it opens without a network; the models are in the storage of latentkit. It is JavaScript
// because the types of a service worker and of a page exclude each other.
const CACHE = 'latentkit-demo'

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()))
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

// The page names what it loaded before this was in charge.
self.addEventListener('message', (event) => event.waitUntil(Promise.all(event.data.map(keep))))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin || pathname.includes('/tiny-shapes/')) return
  event.respondWith(fetchOrKept(request))
})

async function keep(address) {
  const cache = await caches.open(CACHE)
  if (!(await cache.match(address))) await cache.add(address)
}

/** The network's answer, kept for when there is none. */
async function fetchOrKept(request) {
  const cache = await caches.open(CACHE)
  try {
    const answer = await fetch(request)
    if (answer.ok && answer.status !== 206) await cache.put(request, answer.clone())
    return answer
  } catch (error) {
    const kept = await cache.match(request, { ignoreVary: true })
    if (kept) return kept
    throw error
  }
}
