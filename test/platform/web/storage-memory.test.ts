import { WebCache } from '../../../src/platform/web/storage-cache'
import { MemoryStore } from '../../../src/platform/web/storage-memory'
import { cacheContract } from '../../contracts/cache'

const places = new Map<string, MemoryStore>()

cacheContract('the cache of the browser, in memory', {
  keepsHashes: true,
  async create(place) {
    const store = places.get(place) ?? new MemoryStore()
    places.set(place, store)
    return new WebCache(store)
  },
})
