import { randomFillSync } from 'node:crypto'
import { HubServer } from '../test/hub/server'

/** A Hub in a process of its own, as the real one is: sizes of the files in MB as arguments. Prints its address. */
const server = await HubServer.start()
const sizes = process.argv.slice(2).map(Number)
const files = sizes.map((size, i) => [`${i}.safetensors`, randomFillSync(new Uint8Array(size * 2 ** 20))])
server.add('bench/model', Object.fromEntries(files))
process.stdout.write(`${server.endpoint}\n`)
