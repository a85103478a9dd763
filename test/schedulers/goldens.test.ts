import { readFileSync } from 'node:fs'
import type { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/core/generator'
import { float32Tensor } from '../../src/core/tensor'
import { type SchedulerName, schedulerFromConfig, schedulers } from '../../src/schedulers'

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

// Ten steps in float32 (the goldens) and in float64 scalars over float32 tensors (here) differ by a few units in the
// last place. The cases named in LOOSER amplify such differences, so they need 1e-4.
const TOLERANCE = 1e-5
const LOOSER: Record<string, string> = {}

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

const existing = goldens.filter(({ scheduler }) => Object.hasOwn(schedulers, scheduler))

describe.each(existing)('$name', (golden) => {
  const tolerance = golden.name in LOOSER ? 1e-4 : TOLERANCE
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
      expect(relativeDifference(sample.data as Float32Array, golden.add_noise ?? [])).toBeLessThanOrEqual(tolerance)
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
      if (!(difference <= tolerance)) worst.push(`${what}: ${difference}`)
    }
    for (const [step, timestep] of timesteps.entries()) {
      const scaled = scheduler.scaleModelInput(sample, timestep)
      const scaledGolden = golden.scaled.find((each) => each.step === step)
      if (scaledGolden) compare(`scaled input of step ${step}`, scaled, scaledGolden.value)
      const result = scheduler.step(model(scaled, timestep), timestep, sample, {
        ...camelKeys(golden.step_kwargs),
        generator,
      })
      sample = result.prevSample
      compare(`sample after step ${step}`, sample, golden.samples[step])
      if (golden.x0?.step === step) compare(`x0 of step ${step}`, result.predOriginalSample, golden.x0.value)
    }
    expect(golden.samples.length).toBe(timesteps.length)
    expect(worst).toEqual([])
  })
})
