import { NotFoundError, UnsupportedError } from '../core/errors'
import type { FileSource, Repository } from '../core/file'
import type { WeightRef, WeightType } from '../core/weights'
import { SafetensorsFile, type TensorInfo } from '../formats/safetensors'
import { openSafetensorsShards } from '../formats/safetensors-index'

const supportedTypes = new Set<string>(['F32', 'F16', 'BF16', 'F64', 'I64', 'I32', 'I16', 'I8', 'U8', 'BOOL'])

function isWeightType(dtype: string): dtype is WeightType {
  return supportedTypes.has(dtype)
}

/** The weights of one network: where each tensor lies, by name. Nothing but headers has been read. */
export class Checkpoint {
  private readonly used = new Set<string>()

  /**
   * @param name - What errors call it, such as `unet/diffusion_pytorch_model.safetensors`.
   * @param weights - Every tensor by name.
   */
  constructor(
    readonly name: string,
    readonly weights: ReadonlyMap<string, WeightRef>,
  ) {}

  /**
   * Opens the weights of a component: one file, or the shards that an index names.
   *
   * @param repository - Where the files lie.
   * @param folder - The component's folder, such as `unet`; empty for the repository's root.
   * @param stem - File name without its ending: `diffusion_pytorch_model` or `model`.
   * @param variant - The variant asked for, such as `fp16`: `stem.fp16.safetensors`.
   * @throws NotFoundError that names the files looked for.
   */
  static async open(repository: Repository, folder: string, stem: string, variant?: string): Promise<Checkpoint> {
    const found = await Checkpoint.find(repository, folder, stem, variant)
    if (!found) {
      const expected = `${folder ? `${folder}/` : ''}${stem}${variant ? `.${variant}` : ''}.safetensors`
      throw new NotFoundError(
        'checkpoint',
        `weights are missing: ${repository.name} has no ${expected}, nor an index of shards`,
      )
    }
    if (found.endsWith('.json')) {
      const shards = await openSafetensorsShards(repository, found)
      const weights = [...shards].map(([name, file]) => weightRef(file.info(name), file.source))
      return new Checkpoint(found, new Map(weights.map((weight) => [weight.name, weight])))
    }
    const source = await repository.open(found)
    if (!source) throw new NotFoundError('checkpoint', `weights are missing: ${repository.name} has no ${found}`)
    return Checkpoint.fromFile(await SafetensorsFile.open(source))
  }

  /**
   * The path of a component's weights or of their index; a component without the variant is taken plain, as diffusers
   * does. The arguments are those of {@link Checkpoint.open}.
   */
  static async find(
    repository: Repository,
    folder: string,
    stem: string,
    variant?: string,
  ): Promise<string | undefined> {
    const plain = [`${stem}.safetensors`, `${stem}.safetensors.index.json`]
    const names = variant
      ? [
          `${stem}.${variant}.safetensors`,
          `${stem}.safetensors.index.${variant}.json`,
          // diffusers' older releases put the variant before the word index.
          `${stem}.safetensors.${variant}.index.json`,
          ...plain,
        ]
      : plain
    for (const name of names) {
      const path = folder ? `${folder}/${name}` : name
      if (await repository.open(path)) return path
    }
    return undefined
  }

  /** All tensors of one safetensors file. */
  static fromFile(file: SafetensorsFile): Checkpoint {
    const weights = [...file.tensors.values()].map((info) => weightRef(info, file.source))
    return new Checkpoint(file.source.name, new Map(weights.map((weight) => [weight.name, weight])))
  }

  /** The same weights under other names; a name that `rename` does not change stays. */
  renamed(rename: (name: string) => string): Checkpoint {
    const weights = [...this.weights.values()].map((weight) => ({ ...weight, name: rename(weight.name) }))
    return new Checkpoint(this.name, new Map(weights.map((weight) => [weight.name, weight])))
  }

  /** The weight of that name, which then counts as used. */
  take(name: string): WeightRef | undefined {
    this.used.add(name)
    return this.weights.get(name)
  }

  /** Names of the tensors that nothing has taken. */
  unused(): string[] {
    return [...this.weights.keys()].filter((name) => !this.used.has(name))
  }
}

function weightRef(info: TensorInfo, file: FileSource): WeightRef {
  if (!isWeightType(info.dtype)) {
    const expected = [...supportedTypes].join(', ')
    const what = `${file.name}: ${info.name} has a type that networks can't compute with`
    throw new UnsupportedError('checkpoint', `${what}: got ${info.dtype}, expected one of ${expected}`)
  }
  return { name: info.name, type: info.dtype, shape: info.shape, file, offset: info.offset, length: info.length }
}
