import type { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import { concatBatch, expectDims, repeatBatch } from '../core/tensor'
import { warn } from '../core/warn'
import type { TextEncoder } from '../models/components'
import type { CLIPTokenizer } from '../tokenizers/clip-tokenizer'

/** What a pipeline is told to draw. */
export interface PromptOptions {
  /** What to draw; a list draws one picture each. */
  readonly prompt?: string | readonly string[]
  /** What to keep out; one for all prompts, or one each. Without effect unless `guidanceScale` is above 1. */
  readonly negativePrompt?: string | readonly string[]
  /** Pictures for each prompt; 1 by default. */
  readonly numImagesPerPrompt?: number
  /** Instead of `prompt`: text embedding `[prompts, tokens, channels]`. */
  readonly promptEmbeds?: Tensor
  /** Instead of `negativePrompt`: text embedding of the shape of `promptEmbeds`. */
  readonly negativePromptEmbeds?: Tensor
  /** Layers of the text encoder to leave out at the end, for the prompt alone; 0 by default. */
  readonly clipSkip?: number
}

/** The prompts of a call, checked. */
export interface Prompts {
  /** The texts, one each of the batch; absent when embeddings are given. */
  readonly prompts?: readonly string[]
  readonly negativePrompts: readonly string[]
  /** Number of prompts. */
  readonly count: number
  /** Number of pictures: prompts × pictures for each. */
  readonly batch: number
}

/**
 * Checks the prompt options of a call.
 *
 * @throws InvalidArgumentError that says what was given and what is allowed.
 */
export function checkPrompts(part: string, options: PromptOptions): Prompts {
  const { prompt, negativePrompt, numImagesPerPrompt = 1, promptEmbeds, negativePromptEmbeds } = options
  const fail = (message: string) => new InvalidArgumentError(part, message)
  if (prompt !== undefined && promptEmbeds) throw fail('got prompt and promptEmbeds, expected one of them')
  if (prompt === undefined && !promptEmbeds) throw fail('nothing to draw: got neither prompt nor promptEmbeds')
  if (negativePrompt !== undefined && negativePromptEmbeds) {
    throw fail('got negativePrompt and negativePromptEmbeds, expected one of them')
  }
  if (!Number.isSafeInteger(numImagesPerPrompt) || numImagesPerPrompt < 1) {
    throw fail(`numImagesPerPrompt: got ${numImagesPerPrompt}, expected a positive integer`)
  }
  const prompts = prompt === undefined ? undefined : checkTexts(part, 'prompt', prompt)
  const count = prompts?.length ?? promptEmbeds?.dims[0] ?? 0
  const negatives = checkTexts(part, 'negativePrompt', negativePrompt ?? '')
  if (negatives.length !== 1 && negatives.length !== count) {
    throw fail(`negativePrompt: got ${negatives.length} texts, expected 1 or ${count}, one for each prompt`)
  }
  const negativePrompts = negatives.length === count ? negatives : Array.from({ length: count }, () => negatives[0])
  if (promptEmbeds && negativePromptEmbeds) expectDims(negativePromptEmbeds, promptEmbeds.dims, 'negativePromptEmbeds')
  return { prompts, negativePrompts, count, batch: count * numImagesPerPrompt }
}

function checkTexts(part: string, option: string, value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0)
    throw new InvalidArgumentError(part, `${option}: got an empty list, expected at least one text`)
  const wrong = list.find((text) => typeof text !== 'string')
  if (wrong !== undefined || list.includes(undefined)) {
    throw new InvalidArgumentError(part, `${option}: got ${typeof wrong}, expected a text or a list of texts`)
  }
  return list.filter((text) => typeof text === 'string')
}

/**
 * Text embeddings of a call: `[batch, tokens, channels]`, or with guidance `[2·batch, tokens, channels]`, the negative
 * ones first (diffusers `encode_prompt`).
 */
export async function encodePrompts(
  tokenizer: CLIPTokenizer,
  textEncoder: TextEncoder,
  { prompts, negativePrompts, count, batch }: Prompts,
  options: PromptOptions & { readonly guided: boolean },
): Promise<Tensor> {
  const encode = async (texts: readonly string[], clipSkip?: number) => {
    const { inputIds, truncated } = tokenizer.tokenize(texts)
    truncated.forEach((text, i) => {
      if (!text) return
      const limit = tokenizer.modelMaxLength
      warn('prompt', `the prompt is longer than ${limit} tokens: left out "${text}" of "${texts[i].slice(0, 40)}…"`)
    })
    return textEncoder.encode(inputIds, clipSkip)
  }
  const positive = options.promptEmbeds ?? (await encode(prompts ?? [], options.clipSkip))
  const { hiddenSize } = textEncoder.config
  expectDims(positive, [count, positive.dims[1], hiddenSize ?? positive.dims[2]], 'promptEmbeds')
  const repeated = repeatBatch(positive, batch / count)
  if (!options.guided) return repeated
  // diffusers skips no layers for the negative prompt.
  const negative = options.negativePromptEmbeds ?? (await encode(negativePrompts))
  expectDims(negative, positive.dims, 'negativePromptEmbeds')
  return concatBatch([repeatBatch(negative, batch / count), repeated])
}
