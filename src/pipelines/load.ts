import { Checkpoint } from '../checkpoints/checkpoint'
import { InvalidArgumentError, NotFoundError, UnsupportedError } from '../core/errors'
import type { Repository } from '../core/file'
import { AutoencoderKL } from '../models/autoencoder-kl'
import { CLIPTextModel } from '../models/clip-text'
import type { Autoencoder, Denoiser, TextEncoder } from '../models/components'
import type { RawConfig } from '../models/config-reader'
import { ExportedAutoencoder, ExportedTextEncoder, ExportedUNet } from '../models/exported-components'
import { type DeviceOptions, type ModelOptions, readConfig } from '../models/model'
import { UNet2DConditionModel } from '../models/unet-2d-condition'
import type { ComputeType, Device } from '../runtime/backend'
import { type RepositoryOptions, requireRepository } from '../runtime/env'
import { type Scheduler, schedulerFromConfig } from '../schedulers'
import { CLIPTokenizer } from '../tokenizers/clip-tokenizer'
import { ComponentSet, type StableDiffusionComponents } from './components'

/** The components that run on a device. */
export type NetworkName = 'textEncoder' | 'unet' | 'vae'

/** One value for all networks, or one each. */
export type PerNetwork<T> = T | Partial<Readonly<Record<NetworkName, T>>>

/** Options of a pipeline's `fromPretrained`. */
export interface LoadOptions extends RepositoryOptions, Omit<DeviceOptions, 'device' | 'dtype'> {
  /** `auto` (default) takes the best device there is; or one for each network. */
  readonly device?: PerNetwork<Device | 'auto'>
  /** `auto` (default) is `fp32` on a CPU; or one for each network. */
  readonly dtype?: PerNetwork<ComputeType | 'auto'>
  /** Variant of the weights, such as `fp16`. */
  readonly variant?: string
  /** Folder of the pipeline inside the repository. */
  readonly subfolder?: string
  /**
   * Keep the weights in memory (default). `false` loads a network when it is needed and releases it after use: the peak
   * is then the largest network's size, not the sum.
   */
  readonly keepLoaded?: boolean
  /** Instead of the repository's scheduler. */
  readonly scheduler?: Scheduler
  /** Instead of the repository's tokenizer. */
  readonly tokenizer?: CLIPTokenizer
  /** Instead of the repository's text encoder. */
  readonly textEncoder?: TextEncoder
  /** Instead of the repository's UNet. */
  readonly unet?: Denoiser
  /** Instead of the repository's autoencoder. */
  readonly vae?: Autoencoder
}

/** A name or folder, or a repository that is open already. */
export type PipelineSource = string | Repository

/** The pipelines whose repositories hold the same components, those of ONNX exporters among them. */
const compatible = [
  'StableDiffusionPipeline',
  'StableDiffusionImg2ImgPipeline',
  'StableDiffusionInpaintPipeline',
  'ORTStableDiffusionPipeline',
  'OnnxStableDiffusionPipeline',
  'StableDiffusionOnnxPipeline',
]

/** The names of classes under which exporters list a component. */
const exported = ['OnnxRuntimeModel', 'ORTTextEncoder', 'ORTUNet', 'ORTVaeEncoder', 'ORTVaeDecoder']

/** Loads the components of a Stable Diffusion 1 or 2 repository. */
export async function loadStableDiffusion(
  className: string,
  source: PipelineSource,
  options: LoadOptions,
): Promise<{ shared: ComponentSet; scheduler: Scheduler }> {
  const { repository, index } = await openPipeline(source, options)
  const found = index._class_name
  if (typeof found !== 'string' || !compatible.includes(found)) {
    const got = JSON.stringify(found) ?? 'nothing'
    throw new InvalidArgumentError(
      className,
      `${repository.name} holds another kind of pipeline: got _class_name ${got}, expected one of ${compatible.join(', ')}`,
    )
  }
  const { onProgress, signal, keepLoaded = true } = options
  await repository.prefetchPipeline?.({
    ...options,
    subfolder: undefined,
    components: wantedComponents(index, options),
  })
  const names = ['tokenizer', 'textEncoder', 'unet', 'vae', 'scheduler'] as const
  let loaded = 0
  const report = (component: string) => onProgress?.({ kind: 'load', component, loaded, total: names.length })
  const load = async <T>(
    folder: string,
    classes: readonly string[],
    override: T | undefined,
    read: () => Promise<T>,
  ) => {
    signal?.throwIfAborted()
    report(folder)
    if (override === undefined) expectComponent(repository.name, index, folder, classes)
    const component = override ?? (await read())
    loaded++
    return component
  }

  const network = (folder: string, name: NetworkName): ModelOptions => networkOptions(options, folder, name)
  const scheduler = await load('scheduler', [], options.scheduler, () => readScheduler(repository))
  const tokenizer = await load('tokenizer', ['CLIPTokenizer', 'CLIPTokenizerFast'], options.tokenizer, () =>
    CLIPTokenizer.fromRepository(repository),
  )
  const textEncoder = await load('text_encoder', ['CLIPTextModel', ...exported], options.textEncoder, async () =>
    (await isExport(repository, 'text_encoder', 'model', options.variant))
      ? ExportedTextEncoder.open(repository, 'text_encoder', network('text_encoder', 'textEncoder'))
      : CLIPTextModel.fromPretrained(repository, network('text_encoder', 'textEncoder')),
  )
  const vaeFolder = index.vae === undefined && index.vae_decoder !== undefined ? 'vae_decoder' : 'vae'
  const vae = await load(vaeFolder, ['AutoencoderKL', ...exported], options.vae, async () =>
    (await isExport(repository, 'vae_decoder', 'diffusion_pytorch_model', options.variant))
      ? ExportedAutoencoder.open(repository, network('', 'vae'))
      : AutoencoderKL.fromPretrained(repository, network('vae', 'vae')),
  )
  const unet = await load('unet', ['UNet2DConditionModel', ...exported], options.unet, async () =>
    (await isExport(repository, 'unet', 'diffusion_pytorch_model', options.variant))
      ? ExportedUNet.open(repository, 'unet', network('unet', 'unet'))
      : UNet2DConditionModel.fromPretrained(repository, network('unet', 'unet')),
  )
  const components = { tokenizer, textEncoder, unet, vae }
  checkFit(className, components)
  if (keepLoaded) await loadAll(components, signal)
  report('done')
  const model = repository.name.split(/[\\/]/).filter(Boolean).at(-1) ?? repository.name
  return { shared: new ComponentSet(components, keepLoaded, model), scheduler }
}

/**
 * Opens a pipeline's repository and reads its `model_index.json`.
 *
 * @throws NotFoundError when the folder or the file is missing.
 */
export async function openPipeline(
  source: PipelineSource,
  options: LoadOptions,
): Promise<{ repository: Repository; index: RawConfig }> {
  const root = await requireRepository(source, options)
  const { subfolder } = options
  const repository = subfolder ? below(root, subfolder) : root
  return { repository, index: await readConfig(repository, 'model_index.json') }
}

/** A folder of a repository as a repository. */
function below(root: Repository, subfolder: string): Repository {
  return {
    name: `${root.name}/${subfolder}`,
    open: (path) => root.open(`${subfolder}/${path}`),
    prefetchPipeline: (options) => root.prefetchPipeline?.({ ...options, subfolder }) ?? Promise.resolve(),
  }
}

/** The folders of the components that are not given by the caller. */
function wantedComponents(index: RawConfig, options: LoadOptions): string[] {
  const given = new Set<string>()
  if (options.scheduler) given.add('scheduler')
  if (options.tokenizer) given.add('tokenizer')
  if (options.textEncoder) given.add('text_encoder')
  if (options.unet) given.add('unet')
  if (options.vae) for (const folder of ['vae', 'vae_encoder', 'vae_decoder']) given.add(folder)
  const folders = ['scheduler', 'tokenizer', 'text_encoder', 'unet', 'vae', 'vae_encoder', 'vae_decoder']
  return folders.filter((folder) => Array.isArray(index[folder]) && !given.has(folder))
}

function networkOptions(options: LoadOptions, subfolder: string, name: NetworkName): ModelOptions {
  const { backend, threads, graphOptimization, variant, signal } = options
  const pick = <T extends string>(value: PerNetwork<T> | undefined) => (typeof value === 'object' ? value[name] : value)
  const device = pick(options.device)
  const dtype = pick(options.dtype)
  return { subfolder, backend, threads, graphOptimization, variant, signal, device, dtype }
}

/** Whether a component has an ONNX model and no checkpoint. */
async function isExport(repository: Repository, folder: string, stem: string, variant?: string): Promise<boolean> {
  const checkpoint = folder === 'vae_decoder' ? 'vae' : folder
  if (await Checkpoint.find(repository, checkpoint, stem, variant)) return false
  return (await repository.open(`${folder}/model.onnx`)) !== undefined
}

function expectComponent(repository: string, index: RawConfig, folder: string, classes: readonly string[]): void {
  const entry = index[folder]
  const name: unknown = Array.isArray(entry) ? entry[1] : undefined
  if (typeof name !== 'string') {
    throw new NotFoundError('pipeline', `a component is missing: ${repository}/model_index.json names no ${folder}`)
  }
  if (classes.length > 0 && !classes.includes(name)) {
    const expected = classes.join(' or ')
    throw new UnsupportedError('pipeline', `${folder} of ${repository}: got a ${name}, expected a ${expected}`)
  }
}

/** The repository's scheduler, with the mistakes of early configs repaired as diffusers' pipelines do. */
async function readScheduler(repository: Repository): Promise<Scheduler> {
  const config = await readConfig(repository, 'scheduler/scheduler_config.json')
  const repairs: Record<string, unknown> = {}
  if (typeof config.steps_offset === 'number' && config.steps_offset !== 1) repairs.steps_offset = 1
  if (config.clip_sample === true) repairs.clip_sample = false
  return schedulerFromConfig({ ...config, ...repairs })
}

/** Throws unless the networks fit each other. */
function checkFit(part: string, { textEncoder, unet, vae }: StableDiffusionComponents): void {
  const { latentChannels } = vae.config
  if (unet.config.inChannels !== latentChannels) {
    const hint = unet.config.inChannels === 9 ? ': it is made for inpainting' : ''
    throw new UnsupportedError(
      part,
      `the UNet takes other latents${hint}: got ${unet.config.inChannels} channels, expected ${latentChannels}`,
    )
  }
  const { hiddenSize } = textEncoder.config
  const { crossAttentionDim = hiddenSize } = unet.config
  if (hiddenSize !== undefined && crossAttentionDim !== hiddenSize) {
    const got = `${crossAttentionDim} channels`
    throw new UnsupportedError(part, `the UNet takes another text embedding: got ${got}, expected ${hiddenSize}`)
  }
}

/** Makes ready what every call needs; the encoder waits until a picture comes in. */
async function loadAll({ textEncoder, unet, vae }: StableDiffusionComponents, signal?: AbortSignal): Promise<void> {
  try {
    await unet.load(signal)
    await vae.load(signal)
    await textEncoder.load(signal)
  } catch (error) {
    // Nothing is left behind in memory by a load that failed or was cancelled.
    await Promise.all([textEncoder.dispose(), unet.dispose(), vae.dispose()])
    throw error
  }
}
