import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { InferenceSession, Tensor } from 'onnxruntime-common'
import { InvalidArgumentError, RuntimeError, StateError } from '../../core/errors'
import { createQueue, type Queue } from '../../core/queue'
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

type OnnxRuntime = typeof import('onnxruntime-node')

const devices: readonly Device[] = ['cpu', 'cuda', 'webgpu', 'dml', 'coreml']

/** What to do when a device does not work, by device. */
const advice: Record<string, string> = {
  cuda:
    'it needs Linux x64, an NVIDIA driver, CUDA 12 and cuDNN 9, and the CUDA libraries of onnxruntime-node: ' +
    '`npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12`',
  webgpu:
    'it needs a GPU with a Vulkan (Linux), Metal (macOS) or D3D12 (Windows) driver; on Debian: `apt install libvulkan1 mesa-vulkan-drivers`',
  dml: 'it needs Windows 10 or later and a DirectX 12 GPU',
  coreml: 'it needs macOS 12 or later',
  cpu: 'see the cause',
}

/** ONNX Runtime's WebGPU does not stand two sessions that are created or run at the same time. */
const gpuQueue = createQueue()
const noQueue: Queue = (work) => work()

let loading: Promise<OnnxRuntime> | undefined

/** Loads the native package when the first session needs it. */
async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  loading ??= import('onnxruntime-node')
  try {
    return await loading
  } catch (cause) {
    loading = undefined
    const advice =
      'run `npm install onnxruntime-node` (behind a proxy: `npm install onnxruntime-node --onnxruntime-node-install=skip`)'
    throw new RuntimeError('onnxruntime-node', `the package could not be loaded: ${advice}`, { cause })
  }
}

/** The native library for CUDA is an extra download; whether it is there says whether the user wanted it. */
function hasCudaLibrary(): boolean {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false
  try {
    const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
    return existsSync(join(root, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so'))
  } catch {
    return false
  }
}

/** ONNX Runtime's native package for Node and Deno: `cpu`, `cuda`, `webgpu`, `dml` and `coreml`. */
export class OnnxRuntimeNodeBackend implements Backend {
  readonly name = 'onnxruntime-node'

  async devices(): Promise<readonly Device[]> {
    return hasCudaLibrary() ? ['cuda', 'cpu'] : ['cpu']
  }

  async preferredType(device: Device): Promise<ComputeType> {
    return device === 'cuda' ? 'fp16' : 'fp32'
  }

  async createSession(source: GraphSource, options: SessionOptions): Promise<Session> {
    const { device, threads, graphOptimization = 'extended', signal } = options
    if (!devices.includes(device)) {
      throw new InvalidArgumentError(this.name, `no such device: got ${device}, expected auto, ${devices.join(', ')}`)
    }
    if (threads !== undefined && !(Number.isSafeInteger(threads) && threads > 0)) {
      throw new InvalidArgumentError(this.name, `threads: got ${threads}, expected a positive integer`)
    }
    const ort = await loadOnnxRuntime()
    signal?.throwIfAborted()
    const failed = (reason: string, cause?: unknown) => {
      const hint = device === 'cpu' ? '' : `; ${device}: ${advice[device]}`
      return new RuntimeError(this.name, `${source.name} could not be made ready on ${device}: ${reason}${hint}`, {
        cause,
      })
    }
    // Left to itself, ONNX Runtime drops a device that its build does not have, and runs on the CPU.
    const supported = ort.listSupportedBackends().map(({ name }) => name)
    if (!supported.includes(device))
      throw failed(`onnxruntime-node has it on other platforms, here ${supported.join(', ')}`)
    const sessionOptions: InferenceSession.SessionOptions = {
      executionProviders: device === 'cpu' ? ['cpu'] : [device, 'cpu'],
      graphOptimizationLevel: graphOptimization,
      ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      logSeverityLevel: 3,
      ...(await externalData(source)),
    }
    const queue = device === 'webgpu' ? gpuQueue : noQueue
    let session: InferenceSession
    try {
      session = await queue(() => ort.InferenceSession.create(source.model, sessionOptions))
    } catch (cause) {
      throw failed(cause instanceof Error ? cause.message : `${cause}`, cause)
    }
    const result = new OnnxRuntimeNodeSession(source.name, session, queue)
    if (signal?.aborted) {
      await result.dispose()
      signal.throwIfAborted()
    }
    return result
  }
}

/**
 * How the session finds the weights. Files of one folder are named by the folder, and the runtime maps them; anything
 * else is handed over as bytes.
 */
async function externalData(source: GraphSource): Promise<InferenceSession.SessionOptions> {
  const entries = [...source.externalData]
  const folders = new Set(entries.map(([location, { path }]) => path && basename(path) === location && dirname(path)))
  const [folder] = folders
  if (folders.size === 1 && folder) {
    return { extra: { session: { model_external_initializers_file_folder_path: folder } } }
  }
  const read = entries.map(async ([path, file]) => ({ path, data: await file.read(0, file.size) }))
  return { externalData: await Promise.all(read) }
}

class OnnxRuntimeNodeSession implements Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  private running = 0
  private disposed = false

  constructor(
    private readonly name: string,
    private readonly session: InferenceSession,
    private readonly queue: Queue,
  ) {
    this.inputs = session.inputMetadata.filter((info) => info.isTensor)
    this.outputs = session.outputMetadata.filter((info) => info.isTensor)
  }

  async run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>> {
    if (this.disposed) throw new StateError(this.name, 'the session was disposed of')
    const missing = this.inputs.filter(({ name }) => !feeds[name]).map(({ name }) => name)
    if (missing.length > 0)
      throw new InvalidArgumentError(this.name, `inputs are missing: expected ${missing.join(', ')}`)
    this.running++
    try {
      return ownTensors(await this.queue(() => (fetches ? this.session.run(feeds, fetches) : this.session.run(feeds))))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : `${cause}`
      throw new RuntimeError(this.name, `the run failed: ${reason}`, { cause })
    } finally {
      this.running--
      if (this.disposed && this.running === 0) await this.queue(() => this.session.release())
    }
  }

  async dispose(): Promise<void> {
    if (this.disposed) return
    this.disposed = true
    if (this.running === 0) await this.queue(() => this.session.release())
  }
}
