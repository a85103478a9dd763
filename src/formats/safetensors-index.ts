import { FormatError, NotFoundError } from '../core/errors'
import type { Repository } from '../core/file'
import { isJsonObject, parseJson, quote } from './json'
import { SafetensorsFile } from './safetensors'

/** What a `*.safetensors.index.json` says: which shard holds which tensor. */
export interface SafetensorsIndex {
  /** Sum of the tensors' bytes, where the index gives it. */
  readonly totalSize?: number
  /** File name of the shard, by tensor name. */
  readonly weightMap: ReadonlyMap<string, string>
}

/**
 * Parses and checks the bytes of an index. A shard is a plain file name beside the index, nothing that leaves its folder.
 *
 * @param bytes - The file's bytes.
 * @param name - What errors call the file.
 * @throws FormatError that names the file, the tensor and the reason.
 */
export function parseSafetensorsIndex(bytes: Uint8Array, name: string): SafetensorsIndex {
  const fail = (message: string) => new FormatError('safetensors', `${name} ${message}`)
  const index = parseJson(bytes, 'safetensors', name)
  if (!isJsonObject(index) || !isJsonObject(index.weight_map)) {
    throw fail('is no index: expected an object with a "weight_map"')
  }
  const weightMap = new Map<string, string>()
  for (const [tensor, file] of Object.entries(index.weight_map)) {
    if (typeof file !== 'string' || !/^[^/\\:\0]+\.safetensors$/.test(file)) {
      throw fail(
        `names no shard for tensor ${quote(tensor)}: got ${quote(String(file))}, expected a file name beside the index ` +
          'that ends in .safetensors',
      )
    }
    weightMap.set(tensor, file)
  }
  const { metadata = {} } = index
  if (!isJsonObject(metadata)) throw fail('has bad metadata: expected an object')
  const { total_size: totalSize } = metadata
  if (
    totalSize !== undefined &&
    !(typeof totalSize === 'number' && Number.isSafeInteger(totalSize) && totalSize >= 0)
  ) {
    throw fail(`has a bad total_size: got ${quote(String(totalSize))}, expected a number of bytes`)
  }
  return { totalSize, weightMap }
}

/**
 * Opens every shard that the index at `path` names, and finds each tensor in its shard.
 *
 * @param repository - Where index and shards lie.
 * @param path - The index, such as `unet/diffusion_pytorch_model.safetensors.index.json`.
 * @returns For each tensor of the index, the shard that holds it.
 * @throws NotFoundError when the index or a shard is missing.
 * @throws FormatError when index or shard is corrupt, or a shard lacks a tensor that the index promises.
 */
export async function openSafetensorsShards(
  repository: Repository,
  path: string,
): Promise<ReadonlyMap<string, SafetensorsFile>> {
  const source = await repository.open(path)
  if (!source) throw new NotFoundError('safetensors', `${repository.name} has no ${path}`)
  const { weightMap } = parseSafetensorsIndex(await source.read(0, source.size), source.name)

  const folder = path.slice(0, path.lastIndexOf('/') + 1)
  const shards = new Map<string, SafetensorsFile>()
  const tensors = new Map<string, SafetensorsFile>()
  for (const [tensor, file] of weightMap) {
    let shard = shards.get(file)
    if (!shard) {
      const shardSource = await repository.open(folder + file)
      if (!shardSource) {
        throw new NotFoundError('safetensors', `${repository.name} has no ${folder}${file}, which ${path} names`)
      }
      shard = await SafetensorsFile.open(shardSource)
      shards.set(file, shard)
    }
    if (!shard.tensors.has(tensor)) {
      throw new FormatError(
        'safetensors',
        `${shard.source.name} has no tensor ${quote(tensor)}, which ${path} promises`,
      )
    }
    tensors.set(tensor, shard)
  }
  return tensors
}
