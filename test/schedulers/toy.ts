import type { Tensor } from 'onnxruntime-common'
import { Generator, randnTensor } from '../../src/core/generator'
import { float32Tensor } from '../../src/core/tensor'
import { RePaintScheduler, type Scheduler, type StepOptions } from '../../src/schedulers'

/** A bounded "network", as that of the goldens; also at timestep −1, which trailing spacing plans now and then, as in diffusers. */
function toyModel(x: Tensor, t: number): Tensor {
  const data = x.data as Float32Array
  return float32Tensor(
    x.dims,
    data.map((v) => Math.tanh(v) * (0.2 + (0.8 * t) / (Math.abs(t) + 1)) + 0.05 * Math.cos(3 * v + t / 200)),
  )
}

/**
 * A whole run on the toy model, planned already, from one seed or from one for each item of a batch; what a class may ask
 * of a step is given.
 */
export function run(scheduler: Scheduler, seed: number | readonly number[] = 7): Float32Array {
  const dims = [typeof seed === 'number' ? 1 : seed.length, 4, 4, 4]
  const generator = typeof seed === 'number' ? new Generator(seed) : seed.map((each) => new Generator(each))
  const start = randnTensor(dims, generator).data as Float32Array
  let sample = float32Tensor(
    dims,
    start.map((v) => v * scheduler.initNoiseSigma),
  )
  const paint: StepOptions = scheduler.stepOptions.has('originalImage')
    ? { originalImage: float32Tensor(dims, new Float32Array(sample.size).fill(0.3)), mask: halfMask(dims) }
    : {}
  for (const [index, timestep] of scheduler.timesteps.entries()) {
    const before = scheduler.timesteps[index - 1]
    if (scheduler instanceof RePaintScheduler && timestep > before) {
      sample = scheduler.undoStep(sample, before, { generator })
      continue
    }
    const mean = toyModel(scheduler.scaleModelInput(sample, timestep), timestep)
    const output = learnsVariance(scheduler) ? withVariance(mean) : mean
    sample = scheduler.step(output, timestep, sample, { generator, ...paint }).prevSample
  }
  return sample.data as Float32Array
}

function learnsVariance({ config }: Scheduler): boolean {
  return 'varianceType' in config && String(config.varianceType).startsWith('learned')
}

/** The output of a network that says that the variance is 0.01, or near the lower end of its range. */
function withVariance(mean: Tensor): Tensor {
  const [batch, channels, ...size] = mean.dims
  const items = Array.from({ length: batch }, (_, i) => (mean.data as Float32Array).slice(i * (mean.size / batch)))
  const data = items.flatMap((item) => [
    ...item.slice(0, mean.size / batch),
    ...item.slice(0, mean.size / batch).fill(0.01),
  ])
  return float32Tensor([batch, 2 * channels, ...size], Float32Array.from(data))
}

function halfMask(dims: readonly number[]): Tensor {
  const mask = float32Tensor(dims)
  const data = mask.data as Float32Array
  return float32Tensor(
    dims,
    data.map((_, i) => i % 2),
  )
}
