import { Tensor } from 'onnxruntime-common'
import type { Scope } from '../checkpoints/scope'
import type { Value } from '../graph/graph'
import * as ops from '../graph/ops'
import { type Activation, activate, linear } from './basic'

/** How numbers become sines and cosines. */
export interface SinusoidOptions {
  /** Cosines first; diffusers' `flip_sin_to_cos`. */
  readonly flipSinToCos: boolean
  /** Shift of the number of frequencies; diffusers' `freq_shift`. */
  readonly frequencyShift: number
}

/**
 * Sinusoidal embedding (diffusers `get_timestep_embedding`), each intermediate value rounded to float32 as PyTorch does:
 * it is computed here and not in the graph, because a GPU's sine of a large argument is not exact.
 *
 * @param values - Timesteps, or other numbers.
 * @param width - Even or odd width of an embedding; an odd one ends in 0.
 * @returns `[values.length, width]`.
 */
export function sinusoidalEmbedding(values: readonly number[], width: number, options: SinusoidOptions): Tensor {
  const half = Math.floor(width / 2)
  const data = new Float32Array(values.length * width)
  const [sines, cosines] = options.flipSinToCos ? [half, 0] : [0, half]
  for (let i = 0; i < half; i++) {
    const exponent = Math.fround(Math.fround(-Math.log(10000) * i) / Math.fround(half - options.frequencyShift))
    const frequency = Math.fround(Math.exp(exponent))
    values.forEach((value, row) => {
      const angle = Math.fround(Math.fround(value) * frequency)
      data[row * width + sines + i] = Math.sin(angle)
      data[row * width + cosines + i] = Math.cos(angle)
    })
  }
  return new Tensor('float32', data, [values.length, width])
}

/** Options of a {@link timeEmbedding}. */
export interface TimeEmbeddingOptions {
  readonly inChannels: number
  readonly channels: number
  readonly activation: Activation
  /** Activation of the result. */
  readonly finalActivation?: Activation
  /** A further condition `[batch, channels]` that is projected and added to the input, without bias. */
  readonly condition?: { readonly value: Value; readonly channels: number }
}

/** Two linear layers with an activation between (diffusers `TimestepEmbedding`). */
export function timeEmbedding(scope: Scope, x: Value, options: TimeEmbeddingOptions): Value {
  const { inChannels, channels, activation, finalActivation, condition } = options
  const conditioned = condition
    ? ops.add(x, linear(scope.at('cond_proj'), condition.value, condition.channels, inChannels, { bias: false }))
    : x
  const hidden = activate(activation, linear(scope.at('linear_1'), conditioned, inChannels, channels))
  const result = linear(scope.at('linear_2'), hidden, channels, channels)
  return finalActivation ? activate(finalActivation, result) : result
}
