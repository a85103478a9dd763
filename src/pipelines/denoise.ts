import type { Tensor } from 'onnxruntime-common'
import type { ProgressListener } from '../core/progress'
import { expectDims } from '../core/tensor'
import type { Scheduler, StepOptions } from '../schedulers'

/** One step of a run, after it was taken. */
export interface DenoisingStep {
  /** Number of the step, from 0. */
  readonly index: number
  /** Number of steps of the run. */
  readonly total: number
  readonly timestep: number
  /** `[batch, channels, height/8, width/8]`, at the next noise level. */
  readonly latents: Tensor
  /** What the step expects at the end, where the scheduler tells. */
  readonly predOriginalSample?: Tensor
}

/** Is told about every step, and may replace the latents. */
export type StepListener = (
  step: DenoisingStep,
) => undefined | { latents?: Tensor } | Promise<undefined | { latents?: Tensor }>

/** What a denoising loop needs. */
export interface DenoiseOptions {
  /** A scheduler of this run's own, `setTimesteps` done. */
  readonly scheduler: Scheduler
  /** The timesteps to take, those of the scheduler or its last ones. */
  readonly timesteps: readonly number[]
  /** `[batch, channels, height/8, width/8]`, at the noise level of the first timestep. */
  readonly latents: Tensor
  /** What the network predicts for a scaled input, guidance applied. */
  readonly predict: (input: Tensor, timestep: number, index: number) => Promise<Tensor>
  readonly stepOptions: StepOptions
  readonly onStepEnd?: StepListener
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

/** The denoising loop: yields after every step, and returns the denoised latents. */
export async function* denoise(options: DenoiseOptions): AsyncGenerator<DenoisingStep, Tensor> {
  const { scheduler, timesteps, predict, onStepEnd, onProgress, signal } = options
  const stepOptions = acceptedBy(scheduler, options.stepOptions)
  let { latents } = options
  const total = timesteps.length
  for (const [index, timestep] of timesteps.entries()) {
    signal?.throwIfAborted()
    const prediction = await predict(scheduler.scaleModelInput(latents, timestep), timestep, index)
    signal?.throwIfAborted()
    const { prevSample, predOriginalSample } = scheduler.step(prediction, timestep, latents, stepOptions)
    latents = prevSample
    const step = { index, total, timestep, latents, predOriginalSample }
    const replaced = (await onStepEnd?.(step))?.latents
    if (replaced) {
      expectDims(replaced, latents.dims, 'the latents that onStepEnd gave')
      latents = replaced
    }
    onProgress?.({ kind: 'step', loaded: index + 1, total })
    yield { ...step, latents }
  }
  signal?.throwIfAborted()
  return latents
}

/** Options that a scheduler has no use for are left out, as in diffusers: eta, and the generator of a method without noise. */
function acceptedBy(scheduler: Scheduler, options: StepOptions): StepOptions {
  const names: ReadonlySet<string> = scheduler.stepOptions
  const accepted = Object.entries(options).filter(([key]) => names.has(key))
  return Object.fromEntries(accepted)
}
