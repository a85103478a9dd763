import type { Scope } from '../checkpoints/scope'
import type { Value } from '../graph/graph'
import * as ops from '../graph/ops'
import { attention, toImage, toSequence } from './attention'
import { groupNorm, layerNorm, linear } from './basic'

/** Shape of a spatial transformer. */
export interface Transformer2DOptions {
  readonly channels: number
  readonly heads: number
  /** Number of transformer blocks. */
  readonly layers: number
  readonly groups: number
  /** Channels of the text embedding. */
  readonly contextChannels: number
  /** The first attention of a block looks at the text too, instead of at the image itself. */
  readonly onlyCrossAttention?: boolean
  readonly upcast?: boolean
}

/**
 * Spatial transformer (diffusers `Transformer2DModel`): blocks of self attention, attention to the text, feed forward.
 *
 * The projections in and out are stored as linear layers or as 1×1 convolutions; both are the same product, so both run
 * on the sequence.
 *
 * @param x - `[batch, channels, h, w]`.
 * @param context - Text embedding `[batch, tokens, contextChannels]`.
 */
export function transformer2d(scope: Scope, x: Value, context: Value, options: Transformer2DOptions): Value {
  const { channels, layers, groups } = options
  let hidden = toSequence(groupNorm(scope.at('norm'), x, channels, groups, 1e-6))
  hidden = linear(scope.at('proj_in'), hidden, channels, channels, { orConv1x1: true })
  for (let i = 0; i < layers; i++)
    hidden = transformerBlock(scope.at(`transformer_blocks.${i}`), hidden, context, options)
  hidden = linear(scope.at('proj_out'), hidden, channels, channels, { orConv1x1: true })
  return ops.add(toImage(hidden, x), x)
}

function transformerBlock(scope: Scope, x: Value, context: Value, options: Transformer2DOptions): Value {
  const { channels, heads, contextChannels, onlyCrossAttention, upcast } = options
  const self = onlyCrossAttention ? { channels, heads, contextChannels, upcast } : { channels, heads, upcast }
  const selfContext = onlyCrossAttention ? context : undefined
  let hidden = x
  hidden = ops.add(
    hidden,
    attention(scope.at('attn1'), layerNorm(scope.at('norm1'), hidden, channels), selfContext, self),
  )
  const cross = { channels, heads, contextChannels, upcast }
  hidden = ops.add(hidden, attention(scope.at('attn2'), layerNorm(scope.at('norm2'), hidden, channels), context, cross))
  return ops.add(hidden, feedForward(scope.at('ff'), layerNorm(scope.at('norm3'), hidden, channels), channels))
}

/** Gated feed forward (GEGLU, Shazeer 2020), four times as wide inside. */
function feedForward(scope: Scope, x: Value, channels: number): Value {
  const inner = 4 * channels
  const [hidden, gate] = ops.split(linear(scope.at('net.0.proj'), x, channels, 2 * inner), 2, -1)
  return linear(scope.at('net.2'), ops.mul(hidden, x.graph.forms.gelu(gate)), inner, channels)
}
