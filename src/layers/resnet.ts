import type { Scope } from '../checkpoints/scope'
import type { Value } from '../graph/graph'
import * as ops from '../graph/ops'
import { type Activation, activate, conv2d, groupNorm, linear } from './basic'

/** What all residual blocks of a network have in common. */
export interface ResnetOptions {
  readonly groups: number
  readonly epsilon: number
  readonly activation: Activation
  /** Width of the time embedding; absent in an autoencoder. */
  readonly timeChannels?: number
  /** `default` adds the time embedding, `scale_shift` modulates the second norm with it. */
  readonly timeScaleShift?: 'default' | 'scale_shift'
  /** The sum with the input is divided by this; 1 by default. */
  readonly outputScale?: number
}

/**
 * Residual block (diffusers `ResnetBlock2D`): norm, activation, convolution, twice, added to the input.
 *
 * @param x - `[batch, inChannels, h, w]`.
 * @param time - The time embedding `[batch, timeChannels]`, already activated: that is done once for all blocks.
 */
export function resnetBlock(
  scope: Scope,
  x: Value,
  time: Value | undefined,
  inChannels: number,
  outChannels: number,
  { groups, epsilon, activation, timeChannels, timeScaleShift = 'default', outputScale = 1 }: ResnetOptions,
): Value {
  let hidden = activate(activation, groupNorm(scope.at('norm1'), x, inChannels, groups, epsilon))
  hidden = conv2d(scope.at('conv1'), hidden, inChannels, outChannels)
  if (time && timeChannels) {
    const modulated = timeScaleShift === 'scale_shift'
    const projection = linear(scope.at('time_emb_proj'), time, timeChannels, modulated ? 2 * outChannels : outChannels)
    const perChannel = ops.reshape(projection, [0, -1, 1, 1])
    if (modulated) {
      const [scale, shift] = ops.split(perChannel, 2, 1)
      const normal = groupNorm(scope.at('norm2'), hidden, outChannels, groups, epsilon)
      hidden = ops.add(ops.mul(normal, ops.add(scale, x.graph.scalar(1))), shift)
    } else {
      hidden = groupNorm(scope.at('norm2'), ops.add(hidden, perChannel), outChannels, groups, epsilon)
    }
  } else {
    hidden = groupNorm(scope.at('norm2'), hidden, outChannels, groups, epsilon)
  }
  hidden = conv2d(scope.at('conv2'), activate(activation, hidden), outChannels, outChannels)
  const skip =
    inChannels === outChannels ? x : conv2d(scope.at('conv_shortcut'), x, inChannels, outChannels, { kernel: 1 })
  const sum = ops.add(skip, hidden)
  return outputScale === 1 ? sum : ops.div(sum, x.graph.scalar(outputScale))
}

/** Halves height and width by a strided convolution (diffusers `Downsample2D`); a padding of 0 pads right and below. */
export function downsample(scope: Scope, x: Value, channels: number, padding = 1): Value {
  return conv2d(scope.at('conv'), x, channels, channels, { stride: 2, padding: padding === 0 ? [0, 0, 1, 1] : padding })
}

/** Enlarges to the height and width of `like`, or twice, then convolves (diffusers `Upsample2D`). */
export function upsample(scope: Scope, x: Value, channels: number, like?: Value): Value {
  const larger = like ? ops.resizeNearest(x, ops.shapeOf(like, 2)) : ops.upsample2x(x)
  return conv2d(scope.at('conv'), larger, channels, channels)
}
