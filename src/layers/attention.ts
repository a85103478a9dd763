import type { Scope } from '../checkpoints/scope'
import type { Value } from '../graph/graph'
import * as ops from '../graph/ops'
import { groupNorm, linear } from './basic'

/** Shape of an attention. */
export interface AttentionLayerOptions {
  /** Channels of the query, and of the result. */
  readonly channels: number
  readonly heads: number
  /** Channels of key and value; `channels` by default. */
  readonly contextChannels?: number
  /** Whether the query, key and value projections have a bias. */
  readonly bias?: boolean
  /** The checkpoint may hold the projections as 1×1 convolutions. */
  readonly orConv1x1?: boolean
  /** Scores and softmax in float32, when the network computes in float16. */
  readonly upcast?: boolean
}

/**
 * Attention with its four projections (diffusers `Attention`): x `[batch, length, channels]` looks at `context`
 * `[batch, contextLength, contextChannels]`, or at itself.
 */
export function attention(
  scope: Scope,
  x: Value,
  context: Value | undefined,
  { channels, heads, contextChannels = channels, bias = false, orConv1x1, upcast }: AttentionLayerOptions,
): Value {
  const source = context ?? x
  const query = linear(scope.at('to_q'), x, channels, channels, { bias, orConv1x1 })
  const key = linear(scope.at('to_k'), source, contextChannels, channels, { bias, orConv1x1 })
  const value = linear(scope.at('to_v'), source, contextChannels, channels, { bias, orConv1x1 })
  const mixed = x.graph.forms.attention(query, key, value, { heads, headDim: channels / heads, upcast })
  return linear(scope.at('to_out.0'), mixed, channels, channels, { orConv1x1 })
}

/** `[batch, channels, h, w]` as `[batch, h·w, channels]`. */
export function toSequence(x: Value): Value {
  return ops.transpose(ops.reshape(x, [0, 0, -1]), [0, 2, 1])
}

/** `[batch, h·w, channels]` in the shape of the image `like`. */
export function toImage(x: Value, like: Value): Value {
  return ops.reshape(ops.transpose(x, [0, 2, 1]), ops.shapeOf(like))
}

/** Attention of all pixels to each other with one head a channel group, added to the input (the autoencoder's). */
export function imageAttention(
  scope: Scope,
  x: Value,
  channels: number,
  options: { heads: number; groups: number; epsilon: number },
): Value {
  const sequence = toSequence(groupNorm(scope.at('group_norm'), x, channels, options.groups, options.epsilon))
  const mixed = attention(scope, sequence, undefined, { channels, heads: options.heads, bias: true, orConv1x1: true })
  return ops.add(x, toImage(mixed, x))
}
