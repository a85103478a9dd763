import { FormatError, NotFoundError, UnsupportedError } from '../core/errors'
import type { FileSource, Repository } from '../core/file'
import type { ClipVocabulary } from './clip-vocabulary'

type JsonObject = Readonly<Record<string, unknown>>
type Model = Pick<ClipVocabulary, 'vocab' | 'merges' | 'addedTokens'>

/** Reads the files of a CLIP tokenizer from a folder of a repository. */
export async function readClipVocabulary(repository: Repository, subfolder: string): Promise<ClipVocabulary> {
  const open = (name: string) => repository.open(subfolder ? `${subfolder}/${name}` : name)
  const [vocab, merges, added, config, specialTokens] = await Promise.all([
    open('vocab.json'),
    open('merges.txt'),
    open('added_tokens.json'),
    open('tokenizer_config.json').then(readJson),
    open('special_tokens_map.json').then(readJson),
  ])
  const folder = subfolder ? `${repository.name}/${subfolder}` : repository.name
  const single = vocab && merges ? undefined : await open('tokenizer.json')
  let model: Model
  if (vocab && merges) model = await readVocabAndMerges(vocab, merges, added)
  else if (single) model = await readTokenizerJson(single)
  else {
    const found = vocab ? 'only vocab.json' : merges ? 'only merges.txt' : 'none of them'
    throw new NotFoundError(
      'CLIPTokenizer',
      `no tokenizer in ${folder}: got ${found}, expected vocab.json and merges.txt, or tokenizer.json`,
    )
  }
  return { name: folder, ...model, ...readConfig(config, specialTokens, `${folder}/tokenizer_config.json`) }
}

/** Special tokens and length; what the files leave out stays `undefined`. */
function readConfig(config: JsonObject, specialTokens: JsonObject, name: string) {
  // A config that lists its added tokens is complete; an older one is overruled by the special tokens' own file.
  const names = 'added_tokens_decoder' in config ? config : { ...config, ...specialTokens }
  const token = (role: string): string | undefined => {
    const value = isObject(names[role]) ? names[role].content : (names[role] ?? undefined)
    if (value === undefined || typeof value === 'string') return value
    throw new FormatError('CLIPTokenizer', `${name}: ${role} is no token: got ${JSON.stringify(value)}`)
  }
  const length = config.model_max_length ?? undefined
  if (length !== undefined && !(typeof length === 'number' && length >= 2)) {
    const got = JSON.stringify(length)
    throw new FormatError('CLIPTokenizer', `${name}: model_max_length: got ${got}, expected a number of 2 or more`)
  }
  return {
    bosToken: token('bos_token'),
    eosToken: token('eos_token'),
    unkToken: token('unk_token'),
    padToken: token('pad_token'),
    // Python writes 10^30 when no length was ever set.
    modelMaxLength: Number.isSafeInteger(length) ? length : undefined,
  }
}

async function readVocabAndMerges(vocab: FileSource, merges: FileSource, added?: FileSource): Promise<Model> {
  const [vocabJson, mergesText, addedJson] = await Promise.all([readJson(vocab), readText(merges), readJson(added)])
  const lines = mergesText.trimEnd().split(/\r?\n/)
  if (lines[0].startsWith('#version')) lines.shift()
  const ids = checkIds(vocabJson, vocab.name)
  return {
    vocab: ids,
    merges: checkMerges(lines, ids, merges.name),
    addedTokens: new Map(Object.entries(checkIds(addedJson, added?.name ?? ''))),
  }
}

async function readTokenizerJson(file: FileSource): Promise<Model> {
  const { model, added_tokens: added = [] } = await readJson(file)
  if (!isObject(model) || model.type !== 'BPE' || model.end_of_word_suffix !== '</w>') {
    const got = isObject(model) ? `${model.type} with the word end ${JSON.stringify(model.end_of_word_suffix)}` : 'none'
    throw new UnsupportedError(
      'CLIPTokenizer',
      `${file.name} holds another kind of model: got ${got}, expected BPE with the word end "</w>"`,
    )
  }
  if (!isObject(model.vocab) || !Array.isArray(model.merges) || !Array.isArray(added) || !added.every(isObject)) {
    throw new FormatError(
      'CLIPTokenizer',
      `${file.name}: expected model.vocab, model.merges and a list of added_tokens`,
    )
  }
  const vocab = checkIds(model.vocab, file.name)
  const addedIds = Object.fromEntries(added.map(({ content, id }) => [String(content), id]))
  return {
    vocab,
    merges: checkMerges(model.merges, vocab, file.name),
    addedTokens: new Map(Object.entries(checkIds(addedIds, file.name))),
  }
}

function checkIds(tokens: JsonObject, name: string): Record<string, number> {
  const ids: Record<string, number> = Object.create(null)
  for (const token of Object.keys(tokens)) {
    const id = tokens[token]
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
      const got = JSON.stringify(id)
      throw new FormatError(
        'CLIPTokenizer',
        `${name}: the id of '${token}': got ${got}, expected an integer of 0 or more`,
      )
    }
    ids[token] = id
  }
  return ids
}

/** Merges are "a b" or ["a", "b"]; what they make must be in the vocabulary, or it is not theirs. */
function checkMerges(merges: readonly unknown[], vocab: ClipVocabulary['vocab'], name: string): [string, string][] {
  return merges.map((merge, i) => {
    const parts: readonly unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : []
    const [left, right] = parts
    if (parts.length !== 2 || typeof left !== 'string' || typeof right !== 'string' || !(left + right in vocab)) {
      throw new FormatError(
        'CLIPTokenizer',
        `${name}: merge ${i + 1}: got ${JSON.stringify(merge)}, expected two parts of a token of the vocabulary`,
      )
    }
    return [left, right]
  })
}

async function readText(file: FileSource): Promise<string> {
  return new TextDecoder().decode(await file.read(0, file.size))
}

/** The object in a file; an empty one where there is no file. */
async function readJson(file: FileSource | undefined): Promise<JsonObject> {
  if (!file) return {}
  let value: unknown
  try {
    value = JSON.parse(await readText(file))
  } catch (cause) {
    throw new FormatError('CLIPTokenizer', `${file.name} is not valid JSON`, { cause })
  }
  if (!isObject(value)) throw new FormatError('CLIPTokenizer', `${file.name}: expected a JSON object`)
  return value
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
