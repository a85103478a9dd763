/**
 * Where the time of a UNet call goes, by operator: latentkit's graph with both optimisations, and the plain form that an
 * exporter gives. Of each kind of operator the fastest form is added up: what no choice among ONNX Runtime's operators
 * can beat on this machine.
 *
 *     npm run bench:unet-operators [-- --size 512 --calls 4 --folder DIR]
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Generator } from 'latentkit'
import { InferenceSession } from 'onnxruntime-node'
import { type Forms, standardForms } from '../src/graph/forms'
import { settleForms } from '../src/models/settle-forms'
import { UNet2DConditionModel } from '../src/models/unet-2d-condition'
import { localRepository } from '../src/platform/node/files'
import { OnnxRuntimeNodeBackend } from '../src/platform/node/onnxruntime'
import type { GraphSource, Session, SessionOptions } from '../src/runtime/backend'
import { makeCheckpoint } from './checkpoint'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '512' },
    calls: { type: 'string', default: '4' },
    folder: { type: 'string', default: join(tmpdir(), 'latentkit-bench', 'unet') },
  },
})
const calls = Number(values.calls)
const side = Number(values.size) / 8

/** What an operator is for, by its name in the optimised graph. */
const kinds: Readonly<Record<string, RegExp>> = {
  convolution: /^(Fused)?Conv$|^Reorder/,
  'linear layers': /^(Fused)?MatMul$|^Gemm$/,
  attention: /^MultiHeadAttention$|^Softmax$/,
}

/** The seconds of every call, by kind of operator. */
type Times = Record<string, number>

/** Products of the attention have a value for both factors; those of linear layers a weight. */
function kindOf({ op_name: op, input_type_shape: inputs }: { op_name: string; input_type_shape: object[] }): string {
  if (/MatMul$/.test(op) && inputs.length > 1) return 'attention'
  return Object.keys(kinds).find((kind) => kinds[kind].test(op)) ?? 'the rest'
}

/** The native backend, with ONNX Runtime's profile of every session written to `folder`. */
class ProfilingBackend extends OnnxRuntimeNodeBackend {
  constructor(private readonly folder: string) {
    super()
  }

  override async createSession(source: GraphSource, options: SessionOptions): Promise<Session> {
    const [file] = source.externalData.values()
    const session = await InferenceSession.create(source.model, {
      graphOptimizationLevel: options.graphOptimization,
      enableProfiling: true,
      profileFilePrefix: join(this.folder, 'profile'),
      extra: { session: { model_external_initializers_file_folder_path: file.path?.replace(/[^/]+$/, '') } },
    })
    return {
      inputs: [],
      outputs: [],
      run: (feeds) => session.run(feeds) as ReturnType<Session['run']>,
      dispose: async () => {
        session.endProfiling()
        await session.release()
      },
    }
  }
}

/** The fastest call behind the first two, in which ONNX Runtime still asks for memory. */
async function measure(forms: Forms, graphOptimization: 'extended' | 'all'): Promise<Times> {
  const folder = await mkdtemp(join(tmpdir(), 'latentkit-profile-'))
  const unet = await UNet2DConditionModel.fromPretrained(localRepository(values.folder), {
    backend: new ProfilingBackend(folder),
    device: 'cpu',
    forms,
    graphOptimization,
  })
  const generator = new Generator(0)
  const sample = generator.randn([2, 4, side, side])
  const encoderHiddenStates = generator.randn([2, 77, 768])
  for (let i = 0; i < calls; i++) await unet.run({ sample, timestep: 500, encoderHiddenStates })
  await unet.dispose()
  const [name] = await readdir(folder)
  const events = JSON.parse(await readFile(join(folder, name), 'utf8')) as {
    name: string
    dur: number
    args: { op_name: string; input_type_shape: object[] }
  }[]
  await rm(folder, { recursive: true })
  const nodes = events.filter((event) => event.name.endsWith('_kernel_time'))
  const perCall = nodes.length / calls
  const all = Array.from({ length: calls }, (_, call) => {
    const times: Times = {}
    for (const { args, dur } of nodes.slice(call * perCall, (call + 1) * perCall)) {
      const kind = kindOf(args)
      times[kind] = (times[kind] ?? 0) + dur / 1e6
    }
    return times
  })
  return all.slice(2).reduce((best, times) => (total(times) < total(best) ? times : best))
}

const total = (times: Times) => Object.values(times).reduce((sum, time) => sum + time, 0)
const row = (...cells: string[]) => console.log(`| ${cells.map((cell) => cell.padEnd(14)).join(' | ')} |`)
const seconds = (value: number) => `${value.toFixed(2)} s`

await makeCheckpoint(values.folder)
const own = await settleForms(new OnnxRuntimeNodeBackend(), 'cpu', 'fp32')
const forms: Readonly<Record<string, Times>> = {
  latentkit: await measure(own, 'extended'),
  "with 'all'": await measure(own, 'all'),
  'plain form': await measure(standardForms, 'all'),
}
row(`${values.size}×${values.size}`, ...Object.keys(forms), 'fastest')
row('---', '---', '---', '---', '---')
let fastest = 0
for (const kind of [...Object.keys(kinds), 'the rest']) {
  const times = Object.values(forms).map((times) => times[kind])
  const best = Math.min(...times)
  fastest += best
  row(kind, ...[...times, best].map(seconds))
}
const totals = Object.values(forms).map(total)
row('together', ...[...totals, fastest].map(seconds))
row('of plain', ...[...totals, fastest].map((time) => (time / totals[2]).toFixed(2)))
