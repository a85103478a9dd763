import { readFileSync } from 'node:fs'
import type { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/core/generator'
import { float32Tensor } from '../../src/core/tensor'
import { type SchedulerName, schedulerFromConfig } from '../../src/schedulers'

interface Golden {
  name: string
  scheduler: string
  config: Record<string, unknown>
  set_timesteps: Record<string, unknown> & { num_inference_steps?: number }
  step_kwargs: Record<string, unknown>
  seed: number
  timesteps: number[]
  sigmas?: number[]
  init_noise_sigma: number
  order: number
  begin?: number
  add_noise?: number[]
  scaled: { step: number; value: number[] }[]
  samples: (number | null)[][]
  x0: { step: number; value: number[] } | null
}

const path = new URL('../fixtures/goldens/schedulers.json', import.meta.url)
const goldens: Golden[] = JSON.parse(readFileSync(path, 'utf8').replaceAll(/NaN|-?Infinity/g, 'null'))

// Ten steps in float32 (the goldens), and in float64 scalars over float32 tensors (here), differ by a few units in the last
// place; no case amplifies that to more than this, of the largest value of its array.
const TOLERANCE = 1e-5

// Diffusers draws this case's noise from PyTorch's global generator, which no seed tells. It is what the golden's samples
// leave unexplained, and must be standard normal; that all else is right shows in this, and in the last step, which has none.
const UNSEEDED = 'FlowMatchEulerDiscreteScheduler {"stochastic_sampling": true}'

const DIMS = [1, 4, 4, 4]
const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
const camelKeys = (object: object) => Object.fromEntries(Object.entries(object).map(([k, v]) => [camel(k), v]))
const picture = float32Tensor(
  DIMS,
  Float32Array.from({ length: 64 }, (_, n) => 1.3 * Math.sin(0.7 * n) + 0.4 * Math.cos(0.11 * n * n)),
)

function model(x: Tensor, t: number): Tensor {
  const data = x.data as Float32Array
  return float32Tensor(
    DIMS,
    data.map((v) => Math.tanh(v) * (0.2 + (0.8 * t) / (t + 1)) + 0.05 * Math.cos(3 * v + t / 200)),
  )
}

/** The largest difference as a share of the golden's largest value. */
function relativeDifference(got: ArrayLike<number>, golden: readonly number[]): number {
  expect(got.length).toBe(golden.length)
  const largest = Math.max(...golden.map(Math.abs))
  return Math.max(...golden.map((value, i) => Math.abs(got[i] - value))) / largest
}

/** The noise of a step of the unseeded case: next sample = (1 − σ)·x₀ + σ·noise, with x₀ = sample − σ·output. */
function recoveredNoise({ sigmas = [], samples }: Golden, step: number, sample: Tensor, output: Tensor): Tensor {
  const [sigma, next] = sigmas.slice(step, step + 2)
  const [x, v] = [sample.data as Float32Array, output.data as Float32Array]
  const noise = x.map((each, i) => ((samples[step][i] ?? Number.NaN) - (1 - next) * (each - sigma * v[i])) / next)
  return float32Tensor(DIMS, next === 0 ? noise.fill(0) : noise)
}

describe.each(goldens)('$name', (golden) => {
  const make = () => {
    const scheduler = schedulerFromConfig({ ...golden.config, _class_name: golden.scheduler as SchedulerName })
    const { num_inference_steps, ...options } = golden.set_timesteps
    scheduler.setTimesteps(num_inference_steps, camelKeys(options))
    return scheduler
  }

  it('plans the same run', () => {
    const scheduler = make()
    expect(scheduler.timesteps).toEqual(golden.timesteps)
    expect(scheduler.order).toBe(golden.order)
    if (golden.sigmas) {
      const sigmas = [...(scheduler.sigmas ?? [])]
      expect(sigmas.length).toBe(golden.sigmas.length)
      for (const [i, sigma] of golden.sigmas.entries()) {
        expect(Math.abs(sigmas[i] - sigma), `sigma ${i}: ${sigmas[i]}, ${sigma}`).toBeLessThanOrEqual(1e-6 * sigma)
      }
    }
    const { init_noise_sigma: sigma } = golden
    expect(Math.abs(scheduler.initNoiseSigma - sigma)).toBeLessThanOrEqual(1e-6 * sigma)
  })

  it('takes the same steps', () => {
    const scheduler = make()
    const begin = (golden.begin ?? 0) * golden.order
    const timesteps = scheduler.timesteps.slice(begin)
    let sample = float32Tensor(
      DIMS,
      (picture.data as Float32Array).map((v) => v * Math.fround(scheduler.initNoiseSigma)),
    )
    if (golden.begin !== undefined) {
      scheduler.setBeginIndex(begin)
      sample = scheduler.addNoise(picture, new Generator(golden.seed + 100).randn(DIMS), [timesteps[0]])
      expect(relativeDifference(sample.data as Float32Array, golden.add_noise ?? [])).toBeLessThanOrEqual(TOLERANCE)
    }
    const generator = new Generator(golden.seed)
    const worst: string[] = []
    const compare = (what: string, got: Tensor | undefined, value: readonly (number | null)[]) => {
      const values = (got?.data ?? []) as Float32Array
      const finite = value.filter((each) => each !== null)
      if (finite.length < value.length) {
        // Diffusers ends these runs in NaN, having divided by the step to λ = ∞; here they have a picture.
        if (!values.every(Number.isFinite)) worst.push(`${what} is not finite`)
        return
      }
      const difference = relativeDifference(values, finite)
      if (!(difference <= TOLERANCE)) worst.push(`${what}: ${difference}`)
    }
    for (const [step, timestep] of timesteps.entries()) {
      const scaled = scheduler.scaleModelInput(sample, timestep)
      const scaledGolden = golden.scaled.find((each) => each.step === step)
      if (scaledGolden) compare(`scaled input of step ${step}`, scaled, scaledGolden.value)
      const output = model(scaled, timestep)
      const varianceNoise = golden.name === UNSEEDED ? recoveredNoise(golden, step, sample, output) : undefined
      const result = scheduler.step(output, timestep, sample, {
        ...camelKeys(golden.step_kwargs),
        ...(varianceNoise ? { varianceNoise } : { generator }),
      })
      sample = result.prevSample
      compare(`sample after step ${step}`, sample, golden.samples[step])
      if (golden.x0?.step === step) compare(`x0 of step ${step}`, result.predOriginalSample, golden.x0.value)
    }
    expect(golden.samples.length).toBe(timesteps.length)
    expect(worst).toEqual([])
  })
})

it('leaves nothing but standard normal noise unexplained in the case without a seed', () => {
  const golden = goldens.find(({ name }) => name === UNSEEDED)
  expect(golden).toBeDefined()
  if (!golden) return
  const values: number[] = []
  let sample = picture
  for (const [step, timestep] of golden.timesteps.slice(0, -1).entries()) {
    const output = model(sample, timestep)
    values.push(...(recoveredNoise(golden, step, sample, output).data as Float32Array))
    sample = float32Tensor(
      DIMS,
      Float32Array.from(golden.samples[step], (value) => value ?? Number.NaN),
    )
  }
  const mean = values.reduce((sum, z) => sum + z, 0) / values.length
  const variance = values.reduce((sum, z) => sum + (z - mean) ** 2, 0) / values.length
  // Four standard errors of the mean and of the variance of 576 normal numbers.
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(values.length))
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / values.length))
})
