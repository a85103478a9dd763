/**
 * The UNet of Stable Diffusion 1.5 with random weights, float32 on the CPU, batch 2: latentkit's graph over weights that
 * stay in their file, as it is by default and with `graphOptimization: 'all'`, against the same network in the plain form
 * that an exporter gives (standard operators, optimisation `all`, weights handed over as bytes). Each measurement is a
 * process of its own, so that peak memory means something.
 *
 *     npm run bench:unet [-- --sizes 256,512 --calls 5 --folder DIR]
 */
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { makeCheckpoint } from './checkpoint'
import type { Measurement } from './unet-child'

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '256,512' },
    calls: { type: 'string', default: '5' },
    folder: { type: 'string', default: join(tmpdir(), 'latentkit-bench', 'unet') },
  },
})

async function measure(form: 'built' | 'all' | 'plain', size: string): Promise<Measurement> {
  const child = fileURLToPath(new URL('unet-child.ts', import.meta.url))
  const args = ['--import', 'tsx', child, values.folder, form, size, values.calls]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as Measurement
}

function difference(a: readonly number[], b: readonly number[]): number {
  const scale = Math.max(...b.map(Math.abs))
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]))) / scale
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`
const seconds = (value: number) => `${value.toFixed(2)} s`
const row = (...cells: string[]) => console.log(`| ${cells.map((cell) => cell.padEnd(19)).join(' | ')} |`)

console.log('Making the checkpoint, once …')
const weights = await makeCheckpoint(values.folder)
console.log(`Weights: ${gigabytes(weights)} in ${values.folder}\n`)
for (const size of values.sizes.split(',')) {
  const built = await measure('built', size)
  const all = await measure('all', size)
  const plain = await measure('plain', size)
  row(`${size}×${size}`, 'latentkit', "with 'all'", 'plain form', 'ratios')
  row('---', '---', '---', '---', '---')
  const compare = (name: string, key: 'load' | 'call' | 'peak', format: (value: number) => string) => {
    const ratios = [built, all].map((each) => (each[key] / plain[key]).toFixed(2))
    row(name, ...[built, all, plain].map((each) => format(each[key])), ratios.join(', '))
  }
  compare('load to ready', 'load', seconds)
  compare('one UNet call', 'call', seconds)
  compare('peak memory', 'peak', gigabytes)
  row('peak / weights', ...[built, all, plain].map(({ peak }) => (peak / weights).toFixed(2)), '')
  row('step overhead', ...[built, all, plain].map(({ overhead }) => `${(100 * overhead).toFixed(2)} %`), '')
  row(
    'largest difference',
    ...[built, all].map((each) => difference(each.values, plain.values).toExponential(1)),
    '',
    '',
  )
  console.log()
}
