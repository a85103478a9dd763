/** How the weights of one model lie in its folder. Paths are relative to the repository. */
export interface Weights {
  readonly format: 'safetensors' | 'onnx'
  /** The single file, or all shards in order; of an ONNX export the model, then its external data. */
  readonly files: readonly string[]
  /** The index of a sharded checkpoint. */
  readonly index?: string
  /** Names that would have come first, but are not there: a variant that this model does not have, a checkpoint. */
  readonly lookedFor: readonly string[]
}

/** Why a folder's weights cannot be used, and the files that would have to be there. */
export interface WeightsProblem {
  readonly reason: string
  readonly missing: readonly string[]
}

/** File names without `.safetensors`: diffusers' models and transformers' models. */
const STEMS = ['diffusion_pytorch_model', 'model']
const SHARD = '(\\d{5})-of-(\\d{5})'
/** What lies beside a model but is not part of an ONNX export. */
const NOT_ONNX_DATA =
  /\.(?:onnx|safetensors|bin|ckpt|msgpack|h5|pt|pth|ot|tflite|xml|json|txt|md|py|ya?ml|png|jpe?g|webp|gif)$/i

/** The names that one way of storing a checkpoint uses. */
interface Form {
  readonly single?: string
  readonly shard: RegExp
  readonly index: string
}

/** The forms in which diffusers looks for weights, best first: the variant's, today's names before older ones. */
function formsOf(stem: string, variant: string | undefined): Form[] {
  if (variant === undefined) {
    return [
      {
        single: `${stem}.safetensors`,
        shard: new RegExp(`^${stem}-${SHARD}\\.safetensors$`),
        index: `${stem}.safetensors.index.json`,
      },
    ]
  }
  return [
    {
      single: `${stem}.${variant}.safetensors`,
      shard: new RegExp(`^${stem}\\.${variant}-${SHARD}\\.safetensors$`),
      index: `${stem}.safetensors.index.${variant}.json`,
    },
    {
      shard: new RegExp(`^${stem}-${SHARD}\\.${variant}\\.safetensors$`),
      index: `${stem}.safetensors.${variant}.index.json`,
    },
  ]
}

/**
 * Chooses the weights of one model as diffusers does: safetensors alone, the variant where there is one and else the
 * plain files, one file before shards; an ONNX export where there are no safetensors at all.
 *
 * @param folder - The model's folder with `/` at its end, or the empty string for the repository's root.
 * @param names - The files that lie in that folder itself.
 * @param variant - Such as `fp16`.
 * @param library - The library of the model's class: transformers has other file names.
 */
export function findWeights(
  folder: string,
  names: readonly string[],
  variant?: string,
  library?: string,
): Weights | WeightsProblem {
  const stems = library === 'transformers' ? STEMS.toReversed() : STEMS
  const variants = variant === undefined ? [undefined] : [variant, undefined]
  const path = (name: string) => folder + name
  const forms = variants.flatMap((v) => stems.flatMap((stem) => formsOf(stem, v).map((form) => ({ ...form, v }))))
  const preferred = path(forms[0].single ?? forms[0].index)
  for (const { single, shard, index, v } of forms) {
    const lookedFor = v === variant ? [] : [preferred]
    if (single !== undefined && names.includes(single))
      return { format: 'safetensors', files: [path(single)], lookedFor }
    const shards = names.filter((name) => shard.test(name)).sort()
    if (shards.length === 0 && !names.includes(index)) continue
    const missing = missingShards(shards, shard, index, names).map(path)
    if (missing.length > 0) return { reason: `its shards are not all there: ${missing.join(', ')}`, missing }
    return { format: 'safetensors', files: shards.map(path), index: path(index), lookedFor }
  }
  const onnx = [variant === undefined ? '' : `model.${variant}.onnx`, 'model.onnx'].find((name) => names.includes(name))
  if (onnx !== undefined) {
    const files = [onnx, ...onnxData(names, onnx)].map(path)
    return { format: 'onnx', files, lookedFor: [preferred] }
  }
  return { reason: whyNot(names, variant), missing: [preferred] }
}

/** What a set of shards lacks: any of its numbers, or the index that says which tensor is where. */
function missingShards(shards: readonly string[], shard: RegExp, index: string, names: readonly string[]): string[] {
  const missing = names.includes(index) ? [] : [index]
  const [, , count] = shard.exec(shards[0] ?? '') ?? []
  if (count === undefined) return [...missing, `the shards that ${index} names`]
  for (let i = 1; i <= Number(count); i++) {
    const number = String(i).padStart(5, '0')
    const name = shards[0].replace(/\d{5}-of-\d{5}/, `${number}-of-${count}`)
    if (!shards.includes(name)) missing.push(name)
  }
  return missing
}

/**
 * The external data of an ONNX export. Exporters choose any name for it (`model.onnx_data`, `weights.pb`, one file a
 * tensor), so it is whatever lies in the folder and is nothing else, and belongs to no other export there.
 */
function onnxData(names: readonly string[], onnx: string): string[] {
  const stem = (name: string) => name.slice(0, -'.onnx'.length)
  const others = names.filter((name) => name.endsWith('.onnx') && name !== onnx).map(stem)
  const isOthers = (name: string) =>
    !name.startsWith(onnx) && others.some((other) => name.startsWith(`${other}.`) || name.startsWith(`${other}_`))
  return names.filter((name) => !name.startsWith('.') && !NOT_ONNX_DATA.test(name) && !isOthers(name)).sort()
}

/** Says what is there instead of usable weights. */
function whyNot(names: readonly string[], variant: string | undefined): string {
  const asked = variant === undefined ? 'no .safetensors weights' : `neither ${variant} nor plain .safetensors weights`
  const others = names.flatMap(
    (name) => /^(?:diffusion_pytorch_)?model\.([\w-]+?)(?:-\d{5}-of-\d{5})?\.safetensors$/.exec(name)?.[1] ?? [],
  )
  if (others.length > 0) {
    const list = [...new Set(others)].map((other) => `variant: '${other}'`)
    return `it has ${asked}, but others: pass ${list.join(' or ')}`
  }
  const unsafe = names.filter((name) => /\.(?:bin|ckpt|pt|pth|msgpack|h5)$/.test(name))
  if (unsafe.length > 0) {
    return `it has ${asked}, only ${unsafe.join(', ')}, which latentkit does not read: look for a revision with .safetensors`
  }
  return `it has ${asked}`
}
