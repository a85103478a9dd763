import type { Scope } from '../checkpoints/scope'
import { UnsupportedError } from '../core/errors'
import type { Value } from '../graph/graph'
import * as ops from '../graph/ops'

/** Whether a layer has a bias, and how its weight may be stored. */
export interface LinearOptions {
  readonly bias?: boolean
  /** The checkpoint may hold the weight as a 1×1 convolution's, `[out, in, 1, 1]`. */
  readonly orConv1x1?: boolean
}

/** x Wᵀ + b over the last dimension (`torch.nn.Linear`): `[…, inFeatures]` → `[…, outFeatures]`. */
export function linear(
  scope: Scope,
  x: Value,
  inFeatures: number,
  outFeatures: number,
  { bias = true, orConv1x1 = false }: LinearOptions = {},
): Value {
  const shape = [outFeatures, inFeatures]
  const weight = x.graph.weight(scope.tensor('weight', shape, orConv1x1 ? [...shape, 1, 1] : undefined))
  return x.graph.forms.linear(x, weight, bias ? x.graph.weight(scope.tensor('bias', [outFeatures])) : undefined)
}

/** Kernel, stride and padding of a convolution. */
export interface ConvOptions {
  /** Width and height of the kernel; 3 by default. */
  readonly kernel?: number
  readonly stride?: number
  /** [top, left, bottom, right], or one number for all; `(kernel − 1) / 2` by default. */
  readonly padding?: number | readonly number[]
  readonly bias?: boolean
}

/** Two-dimensional convolution (`torch.nn.Conv2d`): `[batch, inChannels, h, w]` → `[batch, outChannels, h', w']`. */
export function conv2d(
  scope: Scope,
  x: Value,
  inChannels: number,
  outChannels: number,
  { kernel = 3, stride = 1, padding = (kernel - 1) / 2, bias = true }: ConvOptions = {},
): Value {
  const weight = scope.tensor('weight', [outChannels, inChannels, kernel, kernel])
  const biasValue = bias ? x.graph.weight(scope.tensor('bias', [outChannels])) : undefined
  const pads = typeof padding === 'number' ? [padding, padding, padding, padding] : padding
  return x.graph.forms.conv2d(x, weight, biasValue, { kernel, stride, pads })
}

/** Group normalisation of `[batch, channels, h, w]` (`torch.nn.GroupNorm`). */
export function groupNorm(scope: Scope, x: Value, channels: number, groups: number, epsilon: number): Value {
  const scale = x.graph.weight(scope.tensor('weight', [channels]))
  const bias = x.graph.weight(scope.tensor('bias', [channels]))
  return x.graph.forms.groupNorm(x, groups, scale, bias, epsilon)
}

/** Layer normalisation over the last dimension (`torch.nn.LayerNorm`). */
export function layerNorm(scope: Scope, x: Value, features: number, epsilon = 1e-5): Value {
  const scale = x.graph.weight(scope.tensor('weight', [features]))
  return ops.layerNorm(x, scale, x.graph.weight(scope.tensor('bias', [features])), epsilon)
}

/** Rows of an embedding table (`torch.nn.Embedding`): int ids `[…]` → `[…, features]`. */
export function embedding(scope: Scope, ids: Value, count: number, features: number): Value {
  return ops.gather(ids.graph.weight(scope.tensor('weight', [count, features])), ids)
}

const activations = {
  silu: (x: Value) => x.graph.forms.silu(x),
  swish: (x: Value) => x.graph.forms.silu(x),
  gelu: (x: Value) => x.graph.forms.gelu(x),
  quick_gelu: (x: Value) => x.graph.forms.quickGelu(x),
  relu: (x: Value) => x.graph.node('Relu', [x]),
  mish: (x: Value) => ops.mul(x, x.graph.node('Tanh', [x.graph.node('Softplus', [x])])),
}

/** The name of an activation function, as configs spell it. */
export type Activation = keyof typeof activations

/** Applies an activation function. */
export function activate(name: Activation, x: Value): Value {
  return activations[name](x)
}

/**
 * The activation that a config names.
 *
 * @throws UnsupportedError for any other.
 */
export function parseActivation(name: unknown, option: string): Activation {
  const known = Object.keys(activations)
  const found = known.find((key): key is Activation => key === name)
  if (!found) {
    throw new UnsupportedError(
      'config',
      `${option} is not supported: got ${JSON.stringify(name)}, expected ${known.join(', ')}`,
    )
  }
  return found
}
