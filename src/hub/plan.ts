import { FormatError, InvalidArgumentError } from '../core/errors'
import { checkPath, isInnerPath } from './names'
import { findWeights, type Weights } from './weights'

/** What to fetch. */
export interface PlanOptions {
  /** The weights' variant, such as `fp16`; a component without it is taken plain, as diffusers does. */
  readonly variant?: string
  /** Only these components, as far as the repository has them; absent: all that a pipeline runs. */
  readonly components?: readonly string[]
  /** The folder of the repository that holds the pipeline; absent: its root. */
  readonly subfolder?: string
}

/** The files of one component. Paths are relative to the repository. */
export interface ComponentPlan {
  /** The library and the class that `model_index.json` names. */
  readonly library: string
  readonly className: string
  /** Its configuration and, of a tokenizer, the vocabulary. */
  readonly configs: readonly string[]
  /** Absent for a scheduler, a tokenizer or a processor. */
  readonly weights?: Weights
}

/** A component that cannot be used: why, and the files that would have to be there. */
export interface PlanProblem {
  readonly component: string
  readonly reason: string
  readonly missing: readonly string[]
}

/** Which files of a repository a pipeline needs. */
export interface PipelinePlan {
  readonly components: ReadonlyMap<string, ComponentPlan>
  /** Small files, `model_index.json` first: to be fetched before the weights. */
  readonly configs: readonly string[]
  /** The large ones. */
  readonly weights: readonly string[]
  /** Components that cannot be used; empty when the pipeline can be loaded. */
  readonly problems: readonly PlanProblem[]
  /** Files that would have been preferred but are not in the listing; see {@link Weights.lookedFor}. */
  readonly lookedFor: readonly string[]
}

/** Components that no pipeline of latentkit runs. */
const NOT_RUN = new Set(['safety_checker', 'feature_extractor', 'image_encoder', 'watermarker'])

const TOKENIZER_FILES = [
  'tokenizer_config.json',
  'tokenizer.json',
  'vocab.json',
  'merges.txt',
  'special_tokens_map.json',
  'added_tokens.json',
]

/**
 * Which files a diffusers pipeline needs: each component's configuration and weights, chosen as diffusers chooses them,
 * and nothing twice.
 *
 * @param modelIndex - The parsed `model_index.json`.
 * @param listing - Paths of all files of the repository.
 * @throws FormatError when `model_index.json` names no components.
 */
export function planPipeline(modelIndex: unknown, listing: readonly string[], options: PlanOptions = {}): PipelinePlan {
  checkOptions(options)
  const root = folderOf(options.subfolder)
  const components = new Map<string, ComponentPlan>()
  const problems: PlanProblem[] = []
  for (const [component, library, className] of componentsOf(modelIndex)) {
    const wanted = options.components?.includes(component) ?? !NOT_RUN.has(component)
    if (!wanted) continue
    const plan =
      isInnerPath(component) && !component.includes('/')
        ? planComponent(`${root}${component}/`, listing, library, className, options.variant)
        : { reason: 'its name is not that of a folder', missing: [] }
    if ('reason' in plan) problems.push({ component, ...plan })
    else components.set(component, plan)
  }
  const plans = [...components.values()]
  const weights = plans.flatMap((plan) => plan.weights ?? [])
  const { variant } = options
  if (variant !== undefined && weights.length > 0 && !weights.some((found) => hasVariant(found, variant))) {
    const missing = weights.flatMap((found) => found.lookedFor)
    problems.push({ component: `variant ${variant}`, reason: 'no component has it: leave `variant` out', missing })
  }
  return {
    components,
    configs: [...new Set([`${root}model_index.json`, ...plans.flatMap((plan) => plan.configs)])],
    weights: [...new Set(weights.flatMap((found) => found.files))],
    problems,
    lookedFor: weights.flatMap((found) => found.lookedFor),
  }
}

/**
 * Which files one model needs, such as a VAE or a ControlNet that is a repository of its own.
 *
 * @param subfolder - The model's folder; absent: the repository's root.
 */
export function planModel(
  listing: readonly string[],
  options: Pick<PlanOptions, 'variant' | 'subfolder'> = {},
): ComponentPlan | Omit<PlanProblem, 'component'> {
  checkOptions(options)
  return planComponent(folderOf(options.subfolder), listing, '', '', options.variant)
}

/** The components of a `model_index.json` with library and class; those that the repository leaves out are `null`. */
function componentsOf(modelIndex: unknown): [component: string, library: string, className: string][] {
  const entries = typeof modelIndex === 'object' && modelIndex !== null ? Object.entries(modelIndex) : []
  const components = entries.flatMap(([key, value]): [string, string, string][] => {
    if (key.startsWith('_') || !Array.isArray(value) || value.length !== 2) return []
    const [library, className] = value
    return typeof library === 'string' && typeof className === 'string' ? [[key, library, className]] : []
  })
  if (components.length === 0) {
    throw new FormatError(
      'model_index.json',
      'it names no components: expected entries such as "unet": ["diffusers", …]',
    )
  }
  return components
}

function planComponent(
  folder: string,
  listing: readonly string[],
  library: string,
  className: string,
  variant: string | undefined,
): ComponentPlan | Omit<PlanProblem, 'component'> {
  const names = listing
    .filter((path) => path.startsWith(folder) && !path.slice(folder.length).includes('/'))
    .map((path) => path.slice(folder.length))
  const pick = (wanted: readonly string[]) => wanted.filter((name) => names.includes(name)).map((name) => folder + name)
  const lack = (...missing: string[]) => ({
    reason: `the repository has no ${missing.map((name) => folder + name).join(' and no ')}`,
    missing: missing.map((name) => folder + name),
  })
  if (/Scheduler$/.test(className)) {
    const configs = pick(['scheduler_config.json'])
    return configs.length > 0 ? { library, className, configs } : lack('scheduler_config.json')
  }
  if (/Tokenizer(?:Fast)?$/.test(className)) {
    const complete = names.includes('tokenizer.json') || (names.includes('vocab.json') && names.includes('merges.txt'))
    const lacking = ['vocab.json', 'merges.txt'].filter((name) => !names.includes(name))
    return complete ? { library, className, configs: pick(TOKENIZER_FILES) } : lack(...lacking)
  }
  if (/(?:Processor|FeatureExtractor)$/.test(className)) {
    const configs = pick(['preprocessor_config.json'])
    return configs.length > 0 ? { library, className, configs } : lack('preprocessor_config.json')
  }
  const weights = findWeights(folder, names, variant, library)
  const config = names.includes('config.json') ? [] : [`${folder}config.json`]
  if ('reason' in weights) return { ...weights, missing: [...config, ...weights.missing] }
  // Older ONNX exports have no config.json; a checkpoint cannot do without.
  const configs = pick(['config.json'])
  if (configs.length === 0 && weights.format === 'safetensors') return lack('config.json')
  return { library, className, configs: [...configs, ...(weights.index === undefined ? [] : [weights.index])], weights }
}

function hasVariant(weights: Weights, variant: string): boolean {
  return weights.files.some((file) => file.slice(file.lastIndexOf('/') + 1).includes(`.${variant}`))
}

/** @throws InvalidArgumentError when `variant` or `subfolder` cannot be part of a path inside a repository. */
function checkOptions({ variant, subfolder }: PlanOptions): void {
  if (variant !== undefined && !/^[\w-]+$/.test(variant)) {
    throw new InvalidArgumentError('hub', `not a variant: got ${JSON.stringify(variant)}, expected a name such as fp16`)
  }
  if (subfolder) checkPath(subfolder, 'the repository')
}

function folderOf(subfolder: string | undefined): string {
  return subfolder === undefined || subfolder === '' ? '' : `${subfolder}/`
}
