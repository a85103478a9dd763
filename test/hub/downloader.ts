import { hubRepository } from '../../src/hub/resolve'
import { DiskCache } from '../../src/platform/node/disk-cache'

/** A process of its own that fetches one file, for tests that kill it: endpoint, cache folder, id and path. */
const [endpoint, folder, id, path] = process.argv.slice(2)
const repository = hubRepository(id, new DiskCache(folder), { endpoint, retryDelay: 5 })
const file = await repository.open(path)
process.stdout.write(`${file?.size}\n`)
