import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FormatError, InvalidArgumentError, NotFoundError, UnsupportedError } from '../../src/core/errors'
import type { Repository } from '../../src/core/file'
import { CLIPTokenizer } from '../../src/tokenizers/clip-tokenizer'

interface Goldens {
  readonly cases: readonly { text: string; ids: readonly number[]; padded77: readonly number[] }[]
}

function fixture(path: string): string {
  return readFileSync(new URL(`../fixtures/${path}`, import.meta.url), 'utf8')
}

/** A repository of files in memory; a value that is not a string is written as JSON. */
function repositoryOf(files: Readonly<Record<string, unknown>>): Repository {
  return {
    name: 'some/model',
    async open(path) {
      if (!(path in files)) return undefined
      const value = files[path]
      const bytes = new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
      return { name: path, size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) }
    },
  }
}

/** The tokenizer files of one of the models in test/fixtures/models, with `changes`; `undefined` takes a file away. */
function filesOf(model: string, changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const names = ['vocab.json', 'merges.txt', 'tokenizer_config.json', 'special_tokens_map.json']
  const files = Object.fromEntries(names.map((name) => [name, fixture(`models/${model}/tokenizer/${name}`)]))
  const all = Object.entries({ ...files, ...changes }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(all.map(([name, value]) => [`tokenizer/${name}`, value]))
}

function load(model: string, changes?: Readonly<Record<string, unknown>>): Promise<CLIPTokenizer> {
  return CLIPTokenizer.fromRepository(repositoryOf(filesOf(model, changes)))
}

const goldens: Goldens = JSON.parse(fixture('goldens/clip_tokens.json'))
const clipVocab = fixture('clip-vocab/vocab.json')
const clipMerges = fixture('clip-vocab/merges.txt')
const clip = await CLIPTokenizer.fromRepository(repositoryOf({ 'vocab.json': clipVocab, 'merges.txt': clipMerges }), '')
const tokenizerJson = {
  added_tokens: ['<|startoftext|>', '<|endoftext|>'].map((content, i) => ({ id: 49406 + i, content, special: true })),
  model: {
    type: 'BPE',
    unk_token: '<|endoftext|>',
    end_of_word_suffix: '</w>',
    vocab: JSON.parse(clipVocab),
    merges: clipMerges.trim().split('\n').slice(1),
  },
}

describe("CLIP's own vocabulary", () => {
  it.each(goldens.cases.map((golden) => [golden.text.slice(0, 60), golden] as const))('%j', (_, golden) => {
    expect(clip.encode(golden.text)).toEqual(golden.ids)
    const { inputIds } = clip.tokenize(golden.text)
    expect([inputIds.type, inputIds.dims]).toEqual(['int32', [1, 77]])
    expect([...(inputIds.data as Int32Array)]).toEqual(golden.padded77)
  })

  it('is the same from tokenizer.json, with merges in either form', async () => {
    const pairs = tokenizerJson.model.merges.map((merge) => merge.split(' '))
    for (const merges of [tokenizerJson.model.merges, pairs]) {
      const json = { ...tokenizerJson, model: { ...tokenizerJson.model, merges } }
      const tokenizer = await CLIPTokenizer.fromRepository(repositoryOf({ 'tokenizer/tokenizer.json': json }))
      for (const { text, ids } of goldens.cases) expect(tokenizer.encode(text)).toEqual(ids)
    }
  })

  it('brings a plain text round', () => {
    expect(clip.decode(clip.encode('A red   Circle, on a blue background'))).toBe('a red circle, on a blue background')
    expect(clip.decode(clip.encode('北京 émigré 🌍'))).toBe('北京 émigré 🌍')
    expect(clip.decode([49406, 320, 49407])).toBe('<|startoftext|>a <|endoftext|>')
    expect(clip.decode([])).toBe('')
  })

  it('encodes any text, and its words one by one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(clip.encode(`${a} ${b}`)).toEqual([...clip.encode(a), ...clip.encode(b)])
      }),
    )
  })

  it('refuses to decode an id that it does not have', () => {
    expect(() => clip.decode([320, 49408])).toThrow(InvalidArgumentError)
    expect(() => clip.decode([-1])).toThrow(/got id -1/)
  })
})

describe('tokenize', () => {
  it('makes one row a text, and quotes what did not fit', () => {
    const long = Array.from({ length: 80 }, (_, i) => `cat${i < 75 ? '' : ' dog'}`).join(' ')
    const { inputIds, truncated } = clip.tokenize(['a cat', long, ''])
    expect(inputIds.dims).toEqual([3, 77])
    const ids = inputIds.data as Int32Array
    expect([...ids.subarray(0, 6)]).toEqual([49406, 320, 2368, 49407, 49407, 49407])
    expect([ids[77], ids[77 + 75], ids[77 + 76]]).toEqual([49406, 2368, 49407])
    expect([...ids.subarray(154, 157)]).toEqual([49406, 49407, 49407])
    expect(truncated).toEqual(['', 'cat dog cat dog cat dog cat dog cat dog', ''])
  })

  it('cuts at exactly the length', () => {
    const fits = clip.tokenize('a cat on a horse', { maxLength: 7 })
    expect([...(fits.inputIds.data as Int32Array)]).toEqual([49406, ...clip.encode('a cat on a horse'), 49407])
    expect(fits.truncated).toEqual([''])
    expect(clip.tokenize('a cat on a horse', { maxLength: 6 }).truncated).toEqual(['horse'])
    expect([...(clip.tokenize('a', { maxLength: 2 }).inputIds.data as Int32Array)]).toEqual([49406, 49407])
  })

  it.each([0, 1, 7.5, Number.NaN, -77])('refuses the length %s', (maxLength) => {
    expect(() => clip.tokenize('a', { maxLength })).toThrow(InvalidArgumentError)
  })

  it('refuses an empty list', () => {
    expect(() => clip.tokenize([])).toThrow(/got an empty list, expected a text/)
  })
})

describe('a repository', () => {
  it('says which tokens start, end and pad', async () => {
    const first = await load('tiny-sd1')
    expect([first.bosTokenId, first.eosTokenId, first.padTokenId, first.modelMaxLength]).toEqual([786, 787, 787, 77])
    const second = await load('tiny-sd2-v')
    expect([second.bosTokenId, second.eosTokenId, second.padTokenId]).toEqual([786, 787, 0])
    const { inputIds } = second.tokenize('a red circle')
    expect([...(inputIds.data as Int32Array)].slice(4, 8)).toEqual([787, 0, 0, 0])
  })

  it('takes special tokens out of a text whole', async () => {
    // transformers 5.18 on the same files.
    const second = await load('tiny-sd2-v')
    expect(second.encode('a red cat!')).toEqual([320, 556, 771, 0])
    expect(second.encode('wow!!! great')).toEqual([659, 342, 0, 0, 0, 560, 657])
    expect(second.encode('hello<|endoftext|>!')).toEqual([531, 75, 75, 334, 787, 0])
    expect(second.encode('A <|STARTOFTEXT|> x')).toEqual([320, 27, 347, 637, 689, 69, 83, 68, 612, 91, 285, 343])
    expect((await load('tiny-sd1')).encode('a red cat!')).toEqual([320, 556, 771, 256])
  })

  it('lets special_tokens_map.json overrule the config, but not one that lists its added tokens', async () => {
    // The files of Stable Diffusion 2.1 disagree so, and Python takes '!'.
    const config = { pad_token: '<|endoftext|>', model_max_length: 77 }
    const special = { pad_token: { content: '!', lstrip: false } }
    const changes = { 'tokenizer_config.json': config, 'special_tokens_map.json': special }
    expect((await load('tiny-sd1', changes)).padTokenId).toBe(0)
    const listing = { ...config, added_tokens_decoder: {} }
    expect((await load('tiny-sd1', { ...changes, 'tokenizer_config.json': listing })).padTokenId).toBe(787)
  })

  it('needs neither config nor special tokens', async () => {
    const bare = await load('tiny-sd1', { 'tokenizer_config.json': undefined, 'special_tokens_map.json': undefined })
    expect([bare.bosTokenId, bare.eosTokenId, bare.padTokenId, bare.modelMaxLength]).toEqual([786, 787, 787, 77])
  })

  it('reads the length, and takes 77 for none', async () => {
    const withLength = (length: unknown) => load('tiny-sd1', { 'tokenizer_config.json': { model_max_length: length } })
    expect((await withLength(20)).tokenize('a').inputIds.dims).toEqual([1, 20])
    expect((await withLength(1e30)).modelMaxLength).toBe(77)
    await expect(withLength('77')).rejects.toThrow(/tokenizer_config.json: model_max_length: got "77"/)
    await expect(withLength(0)).rejects.toThrow(FormatError)
  })

  it('finds added tokens', async () => {
    const tokenizer = await load('tiny-sd1', { 'added_tokens.json': { '<cat-toy>': 788, '<cat>': 789 } })
    expect(tokenizer.encode('a <cat-toy>, a<cat>')).toEqual([320, 788, 267, 320, 789])
    expect(tokenizer.decode([320, 788])).toBe('a <cat-toy>')
  })
})

describe('bad files', () => {
  const json = 'tokenizer.json'
  const config = 'tokenizer_config.json'
  const { model } = tokenizerJson
  it.each([
    [
      'no files',
      { 'vocab.json': undefined, 'merges.txt': undefined },
      NotFoundError,
      /some\/model\/tokenizer: got none/,
    ],
    [
      'no merges',
      { 'merges.txt': undefined },
      NotFoundError,
      /got only vocab.json, expected vocab.json and merges.txt/,
    ],
    ['no vocabulary', { 'vocab.json': undefined }, NotFoundError, /got only merges.txt/],
    ['broken JSON', { 'vocab.json': '{"a": 1' }, FormatError, /tokenizer\/vocab.json is not valid JSON/],
    ['a list', { 'vocab.json': [1, 2] }, FormatError, /tokenizer\/vocab.json: expected a JSON object/],
    ['a wrong id', { 'vocab.json': { a: 'b' } }, FormatError, /vocab.json: the id of 'a': got "b"/],
    ['a negative id', { 'vocab.json': { a: -1 } }, FormatError, /vocab.json: the id of 'a': got -1/],
    ['a lone merge', { 'merges.txt': '#version: 0.2\ng r\nabc' }, FormatError, /merges.txt: merge 2: got "abc"/],
    ['a triple merge', { 'merges.txt': 'g r\na b c' }, FormatError, /merges.txt: merge 2: got "a b c"/],
    ['merges of another vocabulary', { 'merges.txt': 'q q' }, FormatError, /merges.txt: merge 1: got "q q"/],
    ['a broken config', { [config]: '<html>' }, FormatError, /tokenizer_config.json is not valid JSON/],
    [
      'a pad token of no kind',
      { 'special_tokens_map.json': { pad_token: 3 } },
      FormatError,
      /pad_token is no token: got 3/,
    ],
    ['an unknown pad token', { 'special_tokens_map.json': { pad_token: '[PAD]' } }, FormatError, /got '\[PAD\]'/],
    ['a foreign pad token', { 'special_tokens_map.json': { pad_token: 'toString' } }, FormatError, /got 'toString'/],
    [
      'a wrong added id',
      { 'added_tokens.json': { x: null } },
      FormatError,
      /added_tokens.json: the id of 'x': got null/,
    ],
  ])('%s', async (_, changes, kind, message) => {
    const loading = load('tiny-sd1', changes)
    await expect(loading).rejects.toThrow(kind)
    await expect(loading).rejects.toThrow(message)
  })

  it.each([
    ['another kind of model', { model: { ...model, type: 'WordPiece' } }, UnsupportedError, /got WordPiece/],
    ['another word end', { model: { ...model, end_of_word_suffix: null } }, UnsupportedError, /word end null/],
    ['no model', {}, UnsupportedError, /tokenizer.json holds another kind of model: got none/],
    ['no vocabulary', { model: { ...model, vocab: [] } }, FormatError, /tokenizer.json: expected model.vocab/],
    ['a merge of numbers', { model: { ...model, merges: [[1, 2]] } }, FormatError, /merge 1: got \[1,2\]/],
    ['an added token without id', { model, added_tokens: [{ content: 'x' }] }, FormatError, /the id of 'x'/],
    ['added tokens of no kind', { model, added_tokens: ['x'] }, FormatError, /a list of added_tokens/],
  ])('tokenizer.json with %s', async (_, content, kind, message) => {
    const loading = load('tiny-sd1', { 'vocab.json': undefined, 'merges.txt': undefined, [json]: content })
    await expect(loading).rejects.toThrow(kind)
    await expect(loading).rejects.toThrow(message)
  })
})
