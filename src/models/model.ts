import { presentAttentionName } from '../checkpoints/attention-names'
import { Checkpoint } from '../checkpoints/checkpoint'
import { FormatError, InvalidArgumentError, NotFoundError } from '../core/errors'
import type { Repository } from '../core/file'
import { warn } from '../core/warn'
import { isJsonObject, parseJson } from '../formats/json'
import type { Forms } from '../graph/forms'
import { Graph } from '../graph/graph'
import type { Backend, ComputeType, Device, SessionOptions } from '../runtime/backend'
import { env, type RepositoryOptions, requireBackend, requireRepository } from '../runtime/env'
import type { RawConfig } from './config-reader'
import { Network } from './network'
import { settleForms } from './settle-forms'

/** Where a model runs and what it computes in. */
export interface DeviceOptions {
  /** `auto` (default) takes the best device that the backend finds. */
  readonly device?: Device | 'auto'
  /** `auto` (default) is `fp32` on a CPU. */
  readonly dtype?: ComputeType | 'auto'
  /** The runtime; by default the platform's. */
  readonly backend?: Backend
  /** Threads for one operator on a CPU; by default one for each physical core. */
  readonly threads?: number
  /** ONNX Runtime's graph optimisation; `extended` by default. */
  readonly graphOptimization?: SessionOptions['graphOptimization']
  /** How operators that have several spellings are written; by default what suits the device. */
  readonly forms?: Forms
}

/** Options of a model's `fromPretrained`. */
export interface ModelOptions extends DeviceOptions, RepositoryOptions {
  /** The model's folder inside the repository, such as `unet`. */
  readonly subfolder?: string
  /** Variant of the weights, such as `fp16`. */
  readonly variant?: string
}

/** A place to build and run graphs: a checkpoint, a backend, a device and a compute type. */
export class ModelHost {
  private constructor(
    readonly config: RawConfig,
    /** What errors call the model's config. */
    readonly configName: string,
    readonly checkpoint: Checkpoint,
    private readonly backend: Backend,
    private readonly session: SessionOptions,
    private readonly compute: ComputeType,
    private readonly forms: Forms,
  ) {}

  /** Opens config and weights of a model and settles where it runs. */
  static async open(
    source: string | Repository,
    stem: string,
    className: string,
    options: ModelOptions,
  ): Promise<ModelHost> {
    const repository = await requireRepository(source, options)
    // A pipeline has fetched its models already: it hands over the repository itself.
    if (typeof source === 'string') await repository.prefetchModel?.(options)
    const folder = options.subfolder ?? ''
    const path = folder ? `${folder}/config.json` : 'config.json'
    const config = await readConfig(repository, path)
    const found = config._class_name ?? (Array.isArray(config.architectures) ? config.architectures[0] : undefined)
    if (typeof found === 'string' && found !== className) {
      throw new InvalidArgumentError(
        path,
        `is of another class: got ${found}, expected ${className}, in ${repository.name}`,
      )
    }
    const checkpoint = (await Checkpoint.open(repository, folder, stem, options.variant)).renamed(presentAttentionName)
    const backend = requireBackend(options.backend)
    const { session, compute } = await settleDevice(backend, options)
    const { forms = await settleForms(backend, session.device, compute) } = options
    return new ModelHost(config, path, checkpoint, backend, session, compute, forms)
  }

  /**
   * Names of the tensors that no network has taken; they are warned about, since a checkpoint that holds more than its
   * config tells may be another model's.
   *
   * @param isKnown - Whether a tensor is known to say nothing.
   */
  unusedWeights(isKnown: (name: string) => boolean = () => false): readonly string[] {
    const unused = this.checkpoint.unused().filter((name) => !isKnown(name))
    if (unused.length > 0) {
      const listed = unused.length > 4 ? `${unused.slice(0, 4).join(', ')} …` : unused.join(', ')
      warn('checkpoint', `${this.checkpoint.name} holds ${unused.length} tensors that are not used: ${listed}`)
    }
    return unused
  }

  /** Builds a network: `build` adds its nodes to an empty graph; `compute` overrides the element type. */
  network(name: string, build: (graph: Graph) => void, compute = this.compute): Network {
    const graph = new Graph(name, compute, this.forms)
    build(graph)
    return new Network(name, graph.finish(), this.backend, this.session)
  }
}

/** Reads a JSON object from a repository. */
export async function readConfig(repository: Repository, path: string): Promise<RawConfig> {
  const file = await repository.open(path)
  if (!file) throw new NotFoundError('config', `a file is missing: ${repository.name} has no ${path}`)
  const parsed = parseJson(await file.read(0, file.size), 'config', `${repository.name}/${path}`, 'python')
  if (!isJsonObject(parsed)) throw new FormatError('config', `${repository.name}/${path} is not a JSON object`)
  return parsed
}

/** Where and how sessions are created, and the element type, that options mean. */
export async function settleDevice(
  backend: Backend,
  { device = 'auto', dtype = 'auto', threads = env.threads, graphOptimization }: DeviceOptions,
): Promise<{ session: SessionOptions; compute: ComputeType }> {
  const settled = device === 'auto' ? (await backend.devices())[0] : device
  const compute = dtype === 'auto' ? await backend.preferredType(settled) : dtype
  if (compute !== 'fp32' && compute !== 'fp16') {
    throw new InvalidArgumentError('dtype', `no such type: got ${compute}, expected auto, fp32 or fp16`)
  }
  if (compute === 'fp16' && (settled === 'cpu' || settled === 'wasm')) {
    throw new InvalidArgumentError('dtype', `${settled} computes in float32: got fp16, expected auto or fp32`)
  }
  return { session: { device: settled, threads, graphOptimization }, compute }
}
