import { Tensor } from 'onnxruntime-common'
import { LatentkitError } from '../../src/core/errors'
import { bytesSource, type FileSource } from '../../src/core/file'
import { type OnnxInitializer, type OnnxNode, writeOnnx } from '../../src/formats/onnx'
import type { Backend, Device, GraphSource, Session } from '../../src/runtime/backend'

/** A backend on one of its devices, and a way to make a file of its platform. */
interface BackendUnderTest {
  readonly backend: Backend
  readonly device: Device
  file(bytes: Uint8Array, name: string): Promise<FileSource>
}

type Case = (underTest: BackendUnderTest) => Promise<void>

/** W `[3, 2]` at byte 16 and b `[2]` at byte 48 of a file that begins and ends with other bytes. */
const weight = [1, 2, 3, 4, 5, 6]
const bias = [10, 20]
function weightFile(): Uint8Array {
  const bytes = new Uint8Array(60).fill(255)
  bytes.set(new Uint8Array(Float32Array.from(weight).buffer), 16)
  bytes.set(new Uint8Array(Float32Array.from(bias).buffer), 48)
  return bytes
}

const node = (op: string, inputs: readonly string[], output: string): OnnxNode => ({
  name: `${op}.${output}`,
  op,
  inputs,
  outputs: [output],
  attributes: {},
})

/** y = x·W + b and z = x·x (elementwise) for x `[n, 3]`; W and b lie in external files. */
function model(at = { weight: 'weights.bin', bias: 'weights.bin' }): Uint8Array {
  const external = (name: string, dims: number[], location: string, offset: number): OnnxInitializer => ({
    name,
    type: 'float',
    dims,
    data: { location, offset, length: dims.reduce((a, b) => a * b) * 4 },
  })
  return writeOnnx({
    name: 'contract',
    opset: 18,
    inputs: [{ name: 'x', type: 'float', dims: ['n', 3] }],
    outputs: [
      { name: 'y', type: 'float', dims: ['n', 2] },
      { name: 'z', type: 'float', dims: ['n', 3] },
    ],
    nodes: [node('MatMul', ['x', 'W'], 'xW'), node('Add', ['xW', 'b'], 'y'), node('Mul', ['x', 'x'], 'z')],
    initializers: [external('W', [3, 2], at.weight, 16), external('b', [2], at.bias, 48)],
  }).slice()
}

function graph(file: FileSource): GraphSource {
  return { name: 'contract', model: model(), externalData: new Map([['weights.bin', file]]) }
}

const inMemory = () => graph(bytesSource(weightFile(), 'weights.bin'))
const x = (...rows: [number, number, number][]) =>
  new Tensor('float32', Float32Array.from(rows.flat()), [rows.length, 3])
const y = (...rows: [number, number, number][]) =>
  rows.flatMap((row) => [0, 1].map((j) => bias[j] + row.reduce((sum, value, i) => sum + value * weight[2 * i + j], 0)))

/** Without Node's assertions, since the suite also runs in a page. */
function equal(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [actual, expected].map((value) => JSON.stringify(value))
  if (got !== wanted) throw new Error(`${what}: got ${got}, expected ${wanted}`)
}

const numbers = (tensor: Tensor) => Array.from(tensor.data as Float32Array)

async function rejection(work: Promise<unknown>, what: string): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error(`${what}: it resolved, expected a rejection`)
}

async function rejects(work: Promise<unknown>, code: string, message: RegExp, what: string): Promise<void> {
  const error = await rejection(work, what)
  if (!(error instanceof LatentkitError)) throw new Error(`${what}: got ${error}, expected a LatentkitError`)
  equal(error.code, code, `${what}: code of ${error.message}`)
  if (!message.test(error.message)) throw new Error(`${what}: got ${error.message}, expected ${message}`)
}

async function withSession(
  { backend, device }: BackendUnderTest,
  source: GraphSource,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const session = await backend.createSession(source, { device })
  try {
    await use(session)
  } finally {
    await session.dispose()
  }
}

async function computes(session: Session, what: string): Promise<void> {
  const outputs = await session.run({ x: x([1, 0, 2], [-1, 3, 0.5]) })
  equal(numbers(outputs.y), y([1, 0, 2], [-1, 3, 0.5]), `${what}: y`)
}

/** What every {@link Backend} must do, by name. A case rejects when it does not. */
export const backendContract: Readonly<Record<string, Case>> = {
  'names the devices that it can try, and an element type for each': async ({ backend, device }) => {
    const devices = await backend.devices()
    equal(devices.length > 0, true, 'at least one device')
    equal(['fp32', 'fp16'].includes(await backend.preferredType(device)), true, 'an element type')
  },

  'tells names, types and shapes of inputs and outputs': (underTest) =>
    withSession(underTest, inMemory(), async ({ inputs, outputs }) => {
      const told = [...inputs, ...outputs].map(({ name, type, shape }) => [name, type, shape])
      equal(
        told,
        [
          ['x', 'float32', ['n', 3]],
          ['y', 'float32', ['n', 2]],
          ['z', 'float32', ['n', 3]],
        ],
        'inputs and outputs',
      )
    }),

  'reads external data at its offsets from bytes': (underTest) =>
    withSession(underTest, inMemory(), (session) => computes(session, 'bytes')),

  'reads external data at its offsets from a file of the platform': async (underTest) =>
    withSession(underTest, graph(await underTest.file(weightFile(), 'weights.bin')), (s) => computes(s, 'a file')),

  'reads external data from two files': async (underTest) => {
    const files = await Promise.all(['a.bin', 'b.bin'].map((name) => underTest.file(weightFile(), name)))
    const externalData = new Map([
      ['a.bin', files[0]],
      ['b.bin', files[1]],
    ])
    const source = { name: 'contract', model: model({ weight: 'a.bin', bias: 'b.bin' }), externalData }
    await withSession(underTest, source, (session) => computes(session, 'two files'))
  },

  'gives all outputs, or those asked for': (underTest) =>
    withSession(underTest, inMemory(), async (session) => {
      const feeds = { x: x([1, 2, 3]) }
      equal(Object.keys(await session.run(feeds)).sort(), ['y', 'z'], 'all outputs')
      const some = await session.run(feeds, ['z'])
      equal(Object.keys(some), ['z'], 'one output')
      equal(numbers(some.z), [1, 4, 9], 'z')
      equal([some.z.type, some.z.dims], ['float32', [1, 3]], 'type and dims')
      equal(some.z instanceof Tensor, true, 'an output is a Tensor of the package')
    }),

  'takes another length of a free dimension with every run, and leaves earlier outputs alone': (underTest) =>
    withSession(underTest, inMemory(), async (session) => {
      const first = await session.run({ x: x([1, 1, 1]) })
      const second = await session.run({ x: x([2, 0, 0], [0, 2, 0], [0, 0, 2]) })
      equal(numbers(first.y), y([1, 1, 1]), 'the first output, after the second run')
      equal(numbers(second.y), y([2, 0, 0], [0, 2, 0], [0, 0, 2]), 'the second output')
    }),

  'names the inputs that are missing': (underTest) =>
    withSession(underTest, inMemory(), async (session) => {
      await rejects(session.run({}), 'ERR_INVALID_ARGUMENT', /contract.*missing.*\bx\b/, 'no inputs')
      await computes(session, 'after the refusal')
    }),

  'turns a failure of a run into an error, and stays usable': (underTest) =>
    withSession(underTest, inMemory(), async (session) => {
      const wrongType = new Tensor('int64', new BigInt64Array(3), [1, 3])
      await rejects(session.run({ x: wrongType }), 'ERR_RUNTIME', /contract/, 'a wrong type')
      const wrongShape = new Tensor('float32', new Float32Array(4), [1, 4])
      await rejects(session.run({ x: wrongShape }), 'ERR_RUNTIME', /contract/, 'a wrong shape')
      await rejects(session.run({ x: x([1, 2, 3]) }, ['w']), 'ERR_RUNTIME', /contract/, 'an unknown output')
      await computes(session, 'after the failures')
    }),

  'runs and creates at the same time without mixing anything up': async (underTest) => {
    const { backend, device } = underTest
    const sessions = await Promise.all([1, 2, 3].map(() => backend.createSession(inMemory(), { device })))
    const rows = Array.from({ length: 12 }, (_, i): [number, number, number] => [i, 2 * i, 1])
    const results = await Promise.all(rows.map((row, i) => sessions[i % 3].run({ x: x(row) })))
    equal(
      results.map((result) => numbers(result.y)),
      rows.map((row) => y(row)),
      'twelve runs on three sessions',
    )
    await Promise.all(sessions.map((session) => session.dispose()))
  },

  'disposes once, at the end of the run that is under way': async ({ backend, device }) => {
    const session = await backend.createSession(inMemory(), { device })
    const run = session.run({ x: x([1, 2, 3]) })
    await session.dispose()
    equal(numbers((await run).y), y([1, 2, 3]), 'the run under way')
    await session.dispose()
    await rejects(session.run({ x: x([1, 2, 3]) }), 'ERR_STATE', /contract.*disposed/, 'a run afterwards')
  },

  'stops before it begins when the signal is aborted': async ({ backend, device }) => {
    const reason = new Error('enough')
    const creation = backend.createSession(inMemory(), { device, signal: AbortSignal.abort(reason) })
    equal((await rejection(creation, 'an aborted creation')) === reason, true, 'it rejects with the reason')
  },

  'stops while it creates, and can create again': async (underTest) => {
    const { backend, device } = underTest
    const controller = new AbortController()
    const reason = new Error('enough')
    const file = bytesSource(weightFile(), 'weights.bin')
    const aborting: FileSource = {
      ...file,
      async read(offset, length) {
        controller.abort(reason)
        return file.read(offset, length)
      },
    }
    const creation = backend.createSession(graph(aborting), { device, signal: controller.signal })
    equal((await rejection(creation, 'an aborted creation')) === reason, true, 'it rejects with the reason')
    await withSession(underTest, inMemory(), (session) => computes(session, 'afterwards'))
  },

  'passes on why the weights could not be read': async ({ backend, device }) => {
    const reason = new LatentkitError('ERR_TEST', 'test', 'the disk is on fire')
    const broken: FileSource = { name: 'weights.bin', size: 60, read: () => Promise.reject(reason) }
    const error = await rejection(backend.createSession(graph(broken), { device }), 'an unreadable file')
    equal(error === reason, true, 'it is the reason itself')
  },

  'refuses a device that it does not know': async ({ backend }) => {
    const device = 'abacus' as Device
    await rejects(backend.createSession(inMemory(), { device }), 'ERR_INVALID_ARGUMENT', /abacus/, 'an unknown device')
  },

  'refuses a number of threads that is none': async ({ backend, device }) => {
    for (const threads of [0, 1.5, Number.NaN]) {
      const creation = backend.createSession(inMemory(), { device, threads })
      await rejects(creation, 'ERR_INVALID_ARGUMENT', /threads/, `threads: ${threads}`)
    }
  },

  'names the model that it cannot load': async (underTest) => {
    const { backend, device } = underTest
    const bad = { name: 'broken', model: new Uint8Array(100).fill(7), externalData: new Map() }
    const error = await rejection(backend.createSession(bad, { device }), 'a model of nonsense')
    equal(error instanceof LatentkitError && /broken/.test(error.message), true, `it names the model: ${error}`)
    const unknownOp = writeOnnx({
      name: 'odd',
      opset: 18,
      inputs: [{ name: 'x', type: 'float', dims: [1] }],
      outputs: [{ name: 'y', type: 'float', dims: [1] }],
      nodes: [node('Frobnicate', ['x'], 'y')],
      initializers: [],
    }).slice()
    const odd = backend.createSession({ name: 'odd', model: unknownOp, externalData: new Map() }, { device })
    await rejects(odd, 'ERR_RUNTIME', /odd.*Frobnicate/, 'an unknown operator')
    await withSession(underTest, inMemory(), (session) => computes(session, 'afterwards'))
  },

  'refuses external data that is missing or too short': async ({ backend, device, file }) => {
    const missing = { name: 'contract', model: model(), externalData: new Map() }
    const first = await rejection(backend.createSession(missing, { device }), 'no external data')
    equal(first instanceof LatentkitError, true, `an error of latentkit: ${first}`)
    const short = graph(await file(weightFile().subarray(0, 50), 'weights.bin'))
    const second = await rejection(backend.createSession(short, { device }), 'a file that is too short')
    equal(second instanceof LatentkitError, true, `an error of latentkit: ${second}`)
  },
}
