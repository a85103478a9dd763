import { Tokenizer } from '@huggingface/tokenizers'
import { Tensor } from 'onnxruntime-common'
import { FormatError, InvalidArgumentError } from '../core/errors'
import type { Repository } from '../core/file'
import { readClipVocabulary } from './clip-files'
import type { ClipVocabulary } from './clip-vocabulary'

/** The positions of the text encoder of every Stable Diffusion model. */
const DEFAULT_LENGTH = 77

/** Options of {@link CLIPTokenizer.tokenize}. */
export interface TokenizeOptions {
  /** Length of every row, start and end included; default the tokenizer's `modelMaxLength`. */
  readonly maxLength?: number
}

/** What {@link CLIPTokenizer.tokenize} gives. */
export interface TokenizedTexts {
  /** int32 `[texts, maxLength]`: start, the text, end, then padding. */
  readonly inputIds: Tensor
  /** For each text what did not fit, decoded; empty where all of it did. */
  readonly truncated: readonly string[]
}

/**
 * The tokenizer of CLIP's text encoders: lower case, byte-level pairs with `</w>` at the end of a word. Corresponds to
 * `transformers.CLIPTokenizer` and gives the ids of OpenAI's own, except that curly quotes stay curly: nothing mends the
 * text beforehand, as the package ftfy does where Python has it.
 *
 * As in Python, a special token written out in a prompt is that token. So with the pad token `!` of Stable Diffusion 2
 * an exclamation mark is the pad token.
 */
export class CLIPTokenizer {
  /** Number of ids that the text encoder takes. */
  readonly modelMaxLength: number
  /** Id of the token that starts every row. */
  readonly bosTokenId: number
  /** Id of the token that ends every row. */
  readonly eosTokenId: number
  /** Id of the token that fills a row. */
  readonly padTokenId: number
  private readonly tokenizer: Tokenizer

  /**
   * @param vocabulary - The parsed files; {@link CLIPTokenizer.fromRepository} reads them.
   * @throws FormatError if a special token is not in the vocabulary.
   */
  constructor(vocabulary: ClipVocabulary) {
    const { vocab, addedTokens = new Map(), bosToken = '<|startoftext|>', eosToken = '<|endoftext|>' } = vocabulary
    const { unkToken = eosToken, padToken = eosToken } = vocabulary
    const idOf = (token: string): number => {
      const id = addedTokens.get(token) ?? (Object.hasOwn(vocab, token) ? vocab[token] : undefined)
      if (id !== undefined) return id
      throw new FormatError(
        'CLIPTokenizer',
        `a special token is missing in the vocabulary of ${vocabulary.name}: got '${token}', expected one of its tokens`,
      )
    }
    this.modelMaxLength = vocabulary.modelMaxLength ?? DEFAULT_LENGTH
    this.bosTokenId = idOf(bosToken)
    this.eosTokenId = idOf(eosToken)
    this.padTokenId = idOf(padToken)

    const whole = new Set([bosToken, eosToken, unkToken, padToken, ...addedTokens.keys()])
    this.tokenizer = new Tokenizer(
      {
        added_tokens: Array.from(whole, (content) => ({ content, id: idOf(content), normalized: false })),
        normalizer: NORMALIZER,
        pre_tokenizer: PRE_TOKENIZER,
        post_processor: null,
        decoder: { type: 'ByteLevel' },
        model: { type: 'BPE', unk_token: unkToken, end_of_word_suffix: '</w>', vocab, merges: vocabulary.merges },
      },
      {},
    )
  }

  /**
   * Reads `vocab.json` and `merges.txt`, or else `tokenizer.json`, and beside them `tokenizer_config.json`,
   * `special_tokens_map.json` and `added_tokens.json` where there are such files.
   *
   * @param subfolder - Where the files lie in the repository; `''` for its root.
   * @throws NotFoundError if there is no vocabulary, FormatError if a file is malformed; both name the file.
   */
  static async fromRepository(repository: Repository, subfolder = 'tokenizer'): Promise<CLIPTokenizer> {
    return new CLIPTokenizer(await readClipVocabulary(repository, subfolder))
  }

  /** The ids of a text, all of them, without start and end. */
  encode(text: string): number[] {
    return this.tokenizer.encode(text).ids
  }

  /**
   * The text of ids, special tokens included. The encoding keeps neither case nor spacing, so it is not the original.
   *
   * @throws InvalidArgumentError if an id is not in the vocabulary.
   */
  decode(ids: readonly number[]): string {
    if (ids.length === 0) return ''
    for (const id of ids) {
      if (this.tokenizer.id_to_token(id) === undefined) {
        throw new InvalidArgumentError('CLIPTokenizer', `unknown token: got id ${id}, expected one of the vocabulary`)
      }
    }
    return this.tokenizer.decode([...ids]).trim()
  }

  /**
   * Rows of equal length for the text encoder. A text that is too long is cut, its row still ends with the end token,
   * and the result quotes what was cut off.
   *
   * @throws InvalidArgumentError if there is no text, or `maxLength` leaves no place for start and end.
   */
  tokenize(texts: string | readonly string[], options: TokenizeOptions = {}): TokenizedTexts {
    const list = typeof texts === 'string' ? [texts] : texts
    const { maxLength = this.modelMaxLength } = options
    if (list.length === 0) {
      throw new InvalidArgumentError('CLIPTokenizer', 'nothing to tokenize: got an empty list, expected a text')
    }
    if (!Number.isSafeInteger(maxLength) || maxLength < 2) {
      throw new InvalidArgumentError(
        'CLIPTokenizer',
        `maxLength is out of range: got ${maxLength}, expected an integer of 2 or more`,
      )
    }
    const inputIds = new Int32Array(list.length * maxLength).fill(this.padTokenId)
    const truncated = list.map((text, row) => {
      const ids = this.encode(text)
      const kept = ids.slice(0, maxLength - 2)
      inputIds.set([this.bosTokenId, ...kept, this.eosTokenId], row * maxLength)
      return this.decode(ids.slice(kept.length))
    })
    return { inputIds: new Tensor('int32', inputIds, [list.length, maxLength]), truncated }
  }
}

/** What CLIP does to a text first, in the terms of a `tokenizer.json`. */
const NORMALIZER = {
  type: 'Sequence',
  normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' }, { type: 'Lowercase' }],
}

/** How CLIP splits a text into words, each of which is then encoded alone; every digit is a word. */
const PRE_TOKENIZER = {
  type: 'Sequence',
  pretokenizers: [
    {
      type: 'Split',
      pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
      behavior: 'Removed',
      invert: true,
    },
    { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
  ],
}
