import { keepForOffline } from './offline'

// What is loaded from here on passes the service worker, and is there without a network the next time.
await keepForOffline()
await import('./app')
