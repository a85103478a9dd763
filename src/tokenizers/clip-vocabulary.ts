/** The parsed files of a CLIP tokenizer. */
export interface ClipVocabulary {
  /** What errors call it, such as the folder that it was read from. */
  readonly name: string
  /** Token → id, as in `vocab.json`. */
  readonly vocab: Readonly<Record<string, number>>
  /** Pairs of tokens that join to one, the most important first, as in `merges.txt`. */
  readonly merges: readonly (readonly [string, string])[]
  /** Tokens beside the vocabulary that are found whole in a text, with their ids. */
  readonly addedTokens?: ReadonlyMap<string, number>
  /** Starts every row; default `<|startoftext|>`. */
  readonly bosToken?: string
  /** Ends every row; default `<|endoftext|>`. */
  readonly eosToken?: string
  /** Stands for what the vocabulary cannot express; default the end token. */
  readonly unkToken?: string
  /** Fills a row; default the end token. */
  readonly padToken?: string
  /** Number of ids that the text encoder takes; default 77. */
  readonly modelMaxLength?: number
}
