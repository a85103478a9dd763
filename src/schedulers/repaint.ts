import type { Tensor } from 'onnxruntime-common'
import { expectDims, float32Data, float32Tensor, linearCombination, sizeOf } from '../core/tensor'
import { AlphaScheduler } from './alpha-scheduler'
import { betaOptions, trainingBetas } from './betas'
import { clip, clippingOptions } from './clipping'
import { type ConfigOf, oneOf, real } from './config'
import { levelOfAlphaCumprod, sampleWeights } from './prediction'
import type { Schedule, ScheduleRequest, StepOptions, StepResult } from './run'
import { stepRatio } from './timesteps'

const options = {
  ...betaOptions,
  predictionType: oneOf(['epsilon']),
  eta: real(0, 0, 1),
  clipSample: clippingOptions.clipSample,
}

/**
 * Inpainting with a model that was not trained for it: denoises the unknown part, replaces the known part by the picture
 * at the same noise level, and goes back some steps now and then so that both fit. Corresponds to diffusers'
 * `RePaintScheduler`; algorithm 1 of https://arxiv.org/abs/2201.09865.
 *
 * `setTimesteps` takes `jumpLength` and `jumpNSample` (default 10 each). Every step needs `originalImage`, `mask` and
 * `generator` or `varianceNoise`. Where a timestep is above the one before, the run goes back: call {@link undoStep}
 * with the one before instead of the network and `step`.
 */
export class RePaintScheduler extends AlphaScheduler<ConfigOf<typeof options>> {
  static override readonly className = 'RePaintScheduler'
  static override readonly options = options
  override readonly stepOptions = new Set(['originalImage', 'mask', 'generator', 'varianceNoise'] as const)
  override readonly scheduleOptions = new Set(['jumpLength', 'jumpNSample'] as const)

  private readonly betas = trainingBetas(this.config)

  protected override schedule(request: ScheduleRequest): Schedule {
    const { numInferenceSteps: count, jumpLength = 10, jumpNSample = 10 } = request
    for (const [name, value] of Object.entries({ jumpLength, jumpNSample })) {
      if (!Number.isInteger(value) || value < 1) {
        throw this.invalid(`${name} is out of range: got ${value}, expected an integer of 1 or more`)
      }
    }
    const jumps = new Map<number, number>()
    for (let step = 0; step < count - jumpLength; step += jumpLength) jumps.set(step, jumpNSample - 1)
    const steps: number[] = []
    for (let step = count - 1; step >= 0; step--) {
      steps.push(step)
      const left = jumps.get(step) ?? 0
      if (left === 0) continue
      jumps.set(step, left - 1)
      for (let back = 0; back < jumpLength; back++) steps.push(++step)
    }
    const ratio = stepRatio(this.name, this.config.numTrainTimesteps, count)
    return { timesteps: steps.map((step) => step * ratio) }
  }

  protected override advance(output: Tensor, timestep: number, sample: Tensor, stepOptions: StepOptions): StepResult {
    const { originalImage, mask, ...noiseSource } = stepOptions
    if (!originalImage || !mask)
      throw this.invalid('this step inpaints: got no originalImage or no mask, expected both')
    expectDims(originalImage, sample.dims, 'originalImage')
    const previousTimestep = timestep - this.ratio()
    const alphaCumprod = this.alphaCumprod(timestep)
    const previous = previousTimestep >= 0 ? this.alphaCumprod(previousTimestep) : 1

    const predicted = linearCombination(sampleWeights('epsilon', levelOfAlphaCumprod(alphaCumprod)), [sample, output])
    const predOriginalSample = this.config.clipSample ? clip(predicted, 1) : predicted

    // DDIM's formula 12; the same noise serves both parts, as in diffusers.
    const noise = this.noise(sample.dims, noiseSource)
    const variance = ((1 - previous) / (1 - alphaCumprod)) * (1 - alphaCumprod / previous)
    const deviation = timestep > 0 ? this.config.eta * Math.sqrt(variance) : 0
    const direction = Math.sqrt(Math.max(1 - previous - deviation ** 2, 0))
    const signal = Math.sqrt(previous)
    const [known, unknown, fresh] = [originalImage, predOriginalSample, noise].map((each) =>
      float32Data(each, 'what is mixed'),
    )
    const predictedNoise = float32Data(output, 'the model output')
    // Formula 8a; line 5 of the algorithm misprints it.
    const ofKnown = Math.sqrt(1 - previous)
    const prevSample = this.mapMasked(mask, sample.dims, (m, n) => {
      const inside = signal * known[n] + ofKnown * fresh[n]
      const outside = signal * unknown[n] + direction * predictedNoise[n] + deviation * fresh[n]
      return m * inside + (1 - m) * outside
    })
    return { prevSample, predOriginalSample }
  }

  /**
   * Goes back one step: adds the noise of the training's steps between two of the run.
   *
   * @param sample - `[batch, channels, height, width]`, at the noise level of the timestep after `timestep`.
   * @param timestep - The timestep that was reached, one of `timesteps`.
   * @param options - The `generator`, or one for each item.
   * @returns The sample at the noise level of `timestep`.
   * @throws InvalidArgumentError if there is no generator.
   */
  undoStep(sample: Tensor, timestep: number, { generator }: Pick<StepOptions, 'generator'>): Tensor {
    let noisier = sample
    for (const beta of this.betas.subarray(timestep, timestep + this.ratio())) {
      const noise = this.noise(sample.dims, { generator })
      noisier = linearCombination([Math.sqrt(1 - beta), Math.sqrt(beta)], [noisier, noise])
    }
    return noisier
  }

  private ratio(): number {
    return stepRatio(this.name, this.config.numTrainTimesteps, this.numInferenceSteps)
  }

  /** A tensor of shape `dims` from the mask's value at each place and the place's number. */
  private mapMasked(mask: Tensor, dims: readonly number[], value: (m: number, n: number) => number): Tensor {
    if (mask.dims.length !== dims.length || mask.dims.some((length, i) => length !== 1 && length !== dims[i])) {
      throw this.invalid(`mask has the wrong shape: got [${mask.dims.join(', ')}], expected [${dims.join(', ')}]`)
    }
    const m = float32Data(mask, 'the mask')
    const result = new Float32Array(sizeOf(dims))
    // How far apart the mask's values lie along each axis: not at all where one value stands for all.
    const strides = mask.dims.map((length, axis) => (length === 1 ? 0 : sizeOf(mask.dims.slice(axis + 1))))
    const width = dims[dims.length - 1]
    const stride = strides[strides.length - 1]
    for (let start = 0; start < result.length; start += width) {
      let place = 0
      for (let axis = dims.length - 2, row = start / width; axis >= 0; axis--) {
        place += (row % dims[axis]) * strides[axis]
        row = Math.floor(row / dims[axis])
      }
      for (let n = start; n < start + width; n++, place += stride) {
        result[n] = value(m[place], n)
      }
    }
    return float32Tensor(dims, result)
  }
}
