import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { fileURLToPath } from 'node:url'
import { hubRepository } from '../src/hub/resolve'
import { DiskCache } from '../src/platform/node/disk-cache'

/*
 * How fast a download from localhost is, hashing and locking included, against plain `fetch` to disk of the same files.
 * Run: npx tsx bench/hub.ts
 */

const SIZES = [256, 128, 64, 32, 16, 16]
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0)
const PATHS = SIZES.map((_, i) => `${i}.safetensors`)
const ROUNDS = 5
const ID = 'bench/model'

/** Runs `work` in an empty folder; gives MB a second and the memory it took, in MB. */
async function measure(work: (folder: string) => Promise<void>): Promise<{ speed: number; memory: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'latentkit-bench-'))
  const before = process.memoryUsage.rss()
  let peak = before
  const sampling = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 20)
  const start = performance.now()
  await work(folder)
  const seconds = (performance.now() - start) / 1000
  clearInterval(sampling)
  await rm(folder, { recursive: true })
  return { speed: TOTAL / seconds, memory: (peak - before) / 2 ** 20 }
}

/** Plain `fetch` to disk, so many files at once. */
async function plain(endpoint: string, folder: string, concurrency: number): Promise<void> {
  const queue = [...PATHS]
  const worker = async () => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      const response = await fetch(`${endpoint}/${ID}/resolve/main/${path}`)
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`)
      await pipeline(Readable.fromWeb(response.body as ReadableStream), createWriteStream(join(folder, path)))
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

async function latentkit(endpoint: string, folder: string, concurrency: number): Promise<void> {
  await hubRepository(ID, new DiskCache(folder), { endpoint, concurrency }).prefetch(PATHS)
}

async function startServer(): Promise<{ server: ChildProcess; endpoint: string }> {
  const program = fileURLToPath(new URL('./hub-server.ts', import.meta.url))
  const args = ['--import', 'tsx', program, ...SIZES.map(String)]
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(server.stdout, 'data')
  return { server, endpoint: String(line).trim() }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

const { server, endpoint } = await startServer()
try {
  for (const concurrency of [1, 4]) {
    const ratios: number[] = []
    const memory: number[] = []
    // The first round warms both up; then they take turns, so that both see the same machine.
    for (let round = 0; round <= ROUNDS; round++) {
      const theirs = await measure((folder) => plain(endpoint, folder, concurrency))
      const ours = await measure((folder) => latentkit(endpoint, folder, concurrency))
      if (round === 0) continue
      ratios.push(ours.speed / theirs.speed)
      memory.push(ours.memory)
      console.log(
        `${concurrency} at once: fetch ${theirs.speed.toFixed(0)} MB/s, +${theirs.memory.toFixed(0)} MB; ` +
          `latentkit ${ours.speed.toFixed(0)} MB/s, +${ours.memory.toFixed(0)} MB`,
      )
    }
    console.log(
      `${concurrency} at once, ${TOTAL} MB: latentkit / fetch = ${median(ratios).toFixed(2)} (median of ${ROUNDS}), ` +
        `memory +${Math.max(...memory).toFixed(0)} MB at most\n`,
    )
  }
} finally {
  server.kill()
}
