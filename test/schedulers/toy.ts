import type { Tensor } from 'onnxruntime-common'
import { Generator } from '../../src/core/generator'
import { float32Tensor } from '../../src/core/tensor'
import type { Scheduler, StepOptions } from '../../src/schedulers'

/** A bounded "network", as that of the goldens. */
export function toyModel(x: Tensor, t: number): Tensor {
  const data = x.data as Float32Array
  return float32Tensor(
    x.dims,
    data.map((v) => Math.tanh(v) * (0.2 + (0.8 * t) / (t + 1)) + 0.05 * Math.cos(3 * v + t / 200)),
  )
}

/** A whole run on the toy model, planned already; what every class may ask of a step is given. */
export function run(scheduler: Scheduler, seed = 7, dims: readonly number[] = [1, 4, 4, 4]): Float32Array {
  const generator = new Generator(seed)
  const start = generator.randn(dims).data as Float32Array
  let sample = float32Tensor(
    dims,
    start.map((v) => v * scheduler.initNoiseSigma),
  )
  const paint: StepOptions = scheduler.stepOptions.has('originalImage')
    ? { originalImage: float32Tensor(dims, new Float32Array(sample.size).fill(0.3)), mask: halfMask(dims) }
    : {}
  for (const timestep of scheduler.timesteps) {
    const output = toyModel(scheduler.scaleModelInput(sample, timestep), timestep)
    sample = scheduler.step(output, timestep, sample, { generator, ...paint }).prevSample
  }
  return sample.data as Float32Array
}

function halfMask(dims: readonly number[]): Tensor {
  const mask = float32Tensor(dims)
  const data = mask.data as Float32Array
  return float32Tensor(
    dims,
    data.map((_, i) => i % 2),
  )
}
