import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { InvalidArgumentError, LatentkitError, RuntimeError, StateError } from '../../core/errors'
import { createQueue } from '../../core/queue'
import type {
  Backend,
  ComputeType,
  Device,
  GraphSource,
  Session,
  SessionOptions,
  ValueInfo,
} from '../../runtime/backend'
import { ownTensors } from '../../runtime/own-tensors'
import { mountExternalData } from './external-data'
import { acquireGpu, type Gpu, requestAdapter } from './gpu'
import { hasJspi, loadOnnxRuntime } from './onnxruntime-module'

const PART = 'onnxruntime-web'
const devices: readonly Device[] = ['webgpu', 'wasm']

/** The WebAssembly module exists once a page, and neither creates nor runs two sessions at once. */
const inTurn = createQueue()

/** ONNX Runtime in the browser: `webgpu` and `wasm`. The package `onnxruntime-web` is loaded with the first session. */
export class OnnxRuntimeWebBackend implements Backend {
  readonly name = PART

  /** `webgpu` before `wasm`, unless WebGPU is computed by the CPU too. */
  async devices(): Promise<readonly Device[]> {
    const adapter = await requestAdapter()
    if (!adapter) return ['wasm']
    return adapter.info.isFallbackAdapter ? ['wasm', 'webgpu'] : devices
  }

  async preferredType(device: Device): Promise<ComputeType> {
    if (device !== 'webgpu') return 'fp32'
    return (await requestAdapter())?.features.has('shader-f16') ? 'fp16' : 'fp32'
  }

  async createSession(source: GraphSource, options: SessionOptions): Promise<Session> {
    const { device, threads, signal } = options
    if (!devices.includes(device)) {
      throw new InvalidArgumentError(PART, `no such device: got ${device}, expected auto, ${devices.join(', ')}`)
    }
    if (threads !== undefined && !(Number.isSafeInteger(threads) && threads > 0)) {
      throw new InvalidArgumentError(PART, `threads: got ${threads}, expected a positive integer`)
    }
    signal?.throwIfAborted()
    return inTurn(async () => {
      signal?.throwIfAborted()
      const opened = await open(source, options)
      if (signal?.aborted) {
        await opened.session.release()
        signal.throwIfAborted()
      }
      return new OnnxRuntimeWebSession(source, options, opened)
    })
  }
}

/** A session of the runtime, and the device that its weights are on. */
interface Opened {
  readonly session: InferenceSession
  readonly gpu?: Gpu
}

async function open(source: GraphSource, options: SessionOptions): Promise<Opened> {
  const { device, threads, graphOptimization = 'extended', signal } = options
  const ort = await loadOnnxRuntime(device, threads)
  const gpu = device === 'webgpu' ? await acquireGpu() : undefined
  let failure: unknown
  const onFailure = (error: unknown) => {
    failure ??= error
  }
  const { model, externalData } = await mountExternalData(source, hasJspi(), onFailure, signal)
  const creation = ort.InferenceSession.create(model, {
    executionProviders: gpu ? [{ name: 'webgpu', device: gpu.device }] : ['wasm'],
    graphOptimizationLevel: graphOptimization,
    externalData,
    logSeverityLevel: 3,
  })
  try {
    return { session: await (gpu ? gpu.guard(creation) : creation), gpu }
  } catch (error) {
    // A read that failed is the cause, and an abort is one of them.
    if (failure !== undefined) throw failure
    if (error instanceof LatentkitError) throw error
    const what = `${source.name} could not be made ready on ${device}`
    throw new RuntimeError(PART, `${what}: ${messageOf(error)}${adviceFor(error)}`, { cause: error })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What to do about failures whose messages do not say it. */
function adviceFor(error: unknown): string {
  const message = messageOf(error)
  if (/no available backend|failed to fetch|expected magic word|MIME type/i.test(message)) {
    return '; the .wasm file of onnxruntime-web was not found where it was looked for: set `env.wasmPaths` to the address of the folder `onnxruntime-web/dist`, and reload the page'
  }
  if (/bad_alloc|out of memory|allocat|memory access out of bounds|Aborted\(/i.test(message)) {
    return '; WebAssembly has 4 GB of memory: `webgpu` keeps the weights on the GPU, and a page must be reloaded to get memory back'
  }
  return ''
}

class OnnxRuntimeWebSession implements Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  private disposed = false

  constructor(
    private readonly source: GraphSource,
    private readonly options: SessionOptions,
    private opened: Opened,
  ) {
    this.inputs = opened.session.inputMetadata.filter((info) => info.isTensor)
    this.outputs = opened.session.outputMetadata.filter((info) => info.isTensor)
  }

  async run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    const { name } = this.source
    if (this.disposed) throw new StateError(name, 'the session was disposed of')
    const missing = this.inputs.filter((input) => !feeds[input.name]).map((input) => input.name)
    if (missing.length > 0) throw new InvalidArgumentError(name, `inputs are missing: expected ${missing.join(', ')}`)
    return inTurn(async () => {
      if (this.opened.gpu?.isLost) {
        await release(this.opened)
        this.opened = await open(this.source, { ...this.options, signal: undefined })
      }
      const { session, gpu } = this.opened
      const run = fetches ? session.run(feeds, fetches) : session.run(feeds)
      try {
        return ownTensors(await (gpu ? gpu.guard(run) : run))
      } catch (error) {
        if (error instanceof LatentkitError) throw error
        throw new RuntimeError(name, `the run failed: ${messageOf(error)}${adviceFor(error)}`, { cause: error })
      }
    })
  }

  async dispose(): Promise<void> {
    if (this.disposed) return
    this.disposed = true
    await inTurn(() => release(this.opened))
  }
}

async function release({ session, gpu }: Opened): Promise<void> {
  try {
    await session.release()
  } catch (error) {
    // On a lost device there is nothing left to release.
    if (!gpu?.isLost) throw error
  }
}
