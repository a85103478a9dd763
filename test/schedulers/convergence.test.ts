import { readFileSync } from 'node:fs'
import type { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/core/generator'
import { float32Data, float32Tensor } from '../../src/core/tensor'
import {
  DDIMScheduler,
  RePaintScheduler,
  type ScheduleOptions,
  type Scheduler,
  type SchedulerClass,
  type SchedulerName,
  type StepOptions,
  schedulers,
} from '../../src/schedulers'
import { alphasCumprod } from '../../src/schedulers/betas'
import { levelOfAlphaCumprod, type NoiseLevel } from '../../src/schedulers/prediction'
import {
  CLEAN,
  endOfFlow,
  type Guess,
  marginal,
  network,
  pictureThatLeadsTo,
  sampleLevel,
  TRAINING,
  trainedBetas,
} from './gaussian'

/** A scheduler's options, and how fast its error falls on the toy model: as the number of steps to the power −order. */
interface Case {
  readonly name: SchedulerName
  readonly options?: Readonly<Record<string, unknown>>
  readonly order: number
  /** Two numbers of steps between which the order is measured: high orders reach float32's limits with many. */
  readonly steps?: readonly [few: number, many: number]
  readonly schedule?: ScheduleOptions
  readonly step?: StepOptions
  /** Where the run begins, as a share of its steps. */
  readonly begin?: number
}

/** A scheduler on the toy training, as far as it has options for that. */
function make(name: SchedulerName, options: object = {}): Scheduler {
  const Class: SchedulerClass = schedulers[name]
  const toy = { trainedBetas, numTrainTimesteps: TRAINING, clipSample: false, sigmaMin: 0.082, sigmaMax: 12.2 }
  // IPNDM's betas are those of a run.
  const known = Object.entries(toy).filter(([key]) => key in Class.options && name !== 'IPNDMScheduler')
  return new Class({ ...Object.fromEntries(known), ...options })
}

function title({ name, options, step = {}, begin }: Case): string {
  const words = { ...options, ...(begin && { begin }) }
  const numbers = Object.entries(step).filter(([, value]) => typeof value === 'number')
  const parts = [...Object.entries(words), ...numbers].map(([key, value]) => `${key} ${value}`)
  return [name, ...parts].join(', ')
}

const titled = (cases: readonly Case[]) => cases.map((each) => [title(each), each] as const)

function stepOnce(scheduler: Scheduler, index: number, sample: Tensor, step?: StepOptions, guess?: Guess): Tensor {
  const timestep = scheduler.timesteps[index]
  const input = scheduler.scaleModelInput(sample, timestep)
  const output = network(scheduler, input, sampleLevel(scheduler, index), guess)
  return scheduler.step(output, timestep, sample, step).prevSample
}

function expectOrder(given: Case, measure: (given: Case, steps: number) => number): void {
  const [few, many] = given.steps ?? [49, 97]
  const [before, after] = [measure(given, few), measure(given, many)]
  // The step from the last level to 0 does not count: n steps have n − 1 between their levels.
  const order = Math.log(before / after) / Math.log((many - 1) / (few - 1))
  expect(Math.abs(order - given.order), `order ${order}, errors ${before} and ${after}`).toBeLessThan(0.3)
  expect(after).toBeLessThan(0.15)
}

const TYPES = ['midpoint', 'heun'] as const
const DPM = [
  'DPMSolverMultistepScheduler',
  'DPMSolverSinglestepScheduler',
  'DPMSolverMultistepInverseScheduler',
] as const

describe('the exact solution of the probability flow ODE', () => {
  /** Standard scores of the start of each path: the ODE keeps them. */
  const SCORES = Float32Array.from({ length: 9 }, (_, i) => (i - 4) / 2)
  const DIMS = [1, 1, 3, 3]
  const zeros = float32Tensor(DIMS)
  const silent: StepOptions = { varianceNoise: zeros }

  const CASES: readonly Case[] = [
    { name: 'DDIMScheduler', order: 1 },
    { name: 'DDIMInverseScheduler', options: { setAlphaToOne: false }, order: 1 },
    { name: 'TCDScheduler', options: { originalInferenceSteps: 960 }, step: { eta: 0 }, order: 1 },
    {
      name: 'RePaintScheduler',
      schedule: { jumpNSample: 1 },
      step: { ...silent, originalImage: zeros, mask: zeros },
      order: 1,
    },
    // The transfer along DDIM's path, with one output for a whole step, holds PNDM's multistep of fourth order at 2.
    { name: 'PNDMScheduler', order: 2 },
    { name: 'PNDMScheduler', options: { skipPrkSteps: true }, order: 2 },
    // At its first level, pure noise, diffusers' formula takes the picture for 0: an error of first order that stays.
    { name: 'IPNDMScheduler', order: 1 },
    { name: 'IPNDMScheduler', begin: 1 / 4, order: 2 },
    { name: 'EulerDiscreteScheduler', order: 1 },
    { name: 'EulerDiscreteScheduler', options: { useKarrasSigmas: true }, order: 1 },
    { name: 'EulerDiscreteScheduler', options: { timestepSpacing: 'leading' }, order: 1 },
    { name: 'LMSDiscreteScheduler', step: { order: 1 }, order: 1 },
    { name: 'LMSDiscreteScheduler', step: { order: 2 }, order: 2 },
    { name: 'LMSDiscreteScheduler', step: { order: 3 }, order: 2.8, steps: [25, 49] },
    // Methods of fourth order are held back by their first steps, which are of lower order.
    { name: 'LMSDiscreteScheduler', order: 3.5, steps: [25, 49] },
    { name: 'LMSDiscreteScheduler', options: { useKarrasSigmas: true }, order: 3.5, steps: [25, 49] },
    { name: 'HeunDiscreteScheduler', order: 2 },
    { name: 'HeunDiscreteScheduler', options: { useExponentialSigmas: true }, order: 2 },
    { name: 'KDPM2DiscreteScheduler', order: 2 },
    { name: 'KDPM2DiscreteScheduler', options: { useExponentialSigmas: true }, order: 2 },
    ...DPM.flatMap((name) =>
      ['dpmsolver++', 'dpmsolver'].flatMap((algorithmType): Case[] => {
        const options = { algorithmType, finalSigmasType: 'sigma_min' }
        const isSinglestep = name === 'DPMSolverSinglestepScheduler'
        return [
          { name, options: { ...options, solverOrder: 1 }, order: 1 },
          ...TYPES.map((solverType) => ({ name, options: { ...options, solverOrder: 2, solverType }, order: 2 })),
          // The published multistep formula halves the second derivative, which makes it one of second order.
          { name, options: { ...options, solverOrder: 3 }, order: isSinglestep ? 3 : 2 },
        ]
      }),
    ),
    { name: 'DPMSolverMultistepScheduler', options: { useKarrasSigmas: true }, order: 2 },
    { name: 'DPMSolverMultistepScheduler', options: { useLuLambdas: true }, order: 2 },
    { name: 'DEISMultistepScheduler', options: { solverOrder: 1 }, order: 1 },
    { name: 'DEISMultistepScheduler', options: { solverOrder: 2 }, order: 2 },
    { name: 'DEISMultistepScheduler', options: { solverOrder: 3 }, order: 3, steps: [17, 33] },
    // The corrector adds an order to the predictor's.
    ...['bh1', 'bh2'].flatMap((solverType) =>
      [true, false].flatMap((predictX0): Case[] => {
        const options = { solverType, predictX0 }
        return [
          { name: 'UniPCMultistepScheduler', options: { ...options, solverOrder: 1 }, order: 2 },
          { name: 'UniPCMultistepScheduler', options: { ...options, solverOrder: 2 }, order: 3, steps: [25, 49] },
          { name: 'UniPCMultistepScheduler', options: { ...options, solverOrder: 3 }, order: 3.6, steps: [25, 49] },
        ]
      }),
    ),
    ...[
      { predictorOrder: 1, correctorOrder: 1, order: 1 },
      { predictorOrder: 2, correctorOrder: 2, order: 2 },
      { predictorOrder: 3, correctorOrder: 3, order: 3.6, steps: [25, 49] as const },
    ].map(
      ({ order, steps, ...options }): Case => ({
        name: 'SASolverScheduler',
        options: { ...options, tauFunc: () => 0 },
        order,
        steps,
        step: silent,
      }),
    ),
    { name: 'EDMEulerScheduler', order: 1 },
    { name: 'EDMEulerScheduler', options: { sigmaSchedule: 'exponential' }, order: 1 },
    { name: 'EDMDPMSolverMultistepScheduler', options: { solverOrder: 1 }, order: 1 },
    { name: 'EDMDPMSolverMultistepScheduler', options: { solverType: 'midpoint' }, order: 2 },
    { name: 'EDMDPMSolverMultistepScheduler', options: { solverType: 'heun' }, order: 2 },
    { name: 'EDMDPMSolverMultistepScheduler', options: { solverOrder: 3, sigmaSchedule: 'exponential' }, order: 2 },
    { name: 'FlowMatchEulerDiscreteScheduler', order: 1 },
    { name: 'FlowMatchEulerDiscreteScheduler', options: { shift: 3 }, order: 1 },
    { name: 'FlowMatchEulerDiscreteScheduler', options: { useDynamicShifting: true }, schedule: { mu: 0.8 }, order: 1 },
    { name: 'FlowMatchHeunDiscreteScheduler', order: 2 },
    { name: 'FlowMatchHeunDiscreteScheduler', options: { shift: 3 }, order: 2 },
    // A flow begins near an infinite log(σ/α), so that the solvers in it need many steps to show their order.
    ...(['DPMSolverMultistepScheduler', 'DPMSolverSinglestepScheduler'] as const).map(
      (name): Case => ({
        name,
        options: { useFlowSigmas: true, predictionType: 'flow_prediction', flowShift: 1 },
        order: 1.8,
        steps: [193, 385],
      }),
    ),
  ]

  /** The largest distance from the solution at the last noise level above 0, in standard deviations. */
  function errorOfPaths({ name, options, schedule, step, begin: share = 0 }: Case, steps: number): number {
    const scheduler = make(name, options)
    scheduler.setTimesteps(steps, schedule)
    const begin = Math.round(share * scheduler.timesteps.length)
    if (begin > 0) scheduler.setBeginIndex(begin)
    const last = scheduler.timesteps.length - 1
    const start = marginal(sampleLevel(scheduler, begin))
    let sample = float32Tensor(
      DIMS,
      SCORES.map((score) => start.mean + start.deviation * score),
    )
    for (let index = begin; index < last; index++) sample = stepOnce(scheduler, index, sample, step)
    const end = marginal(sampleLevel(scheduler, last))
    const scores = float32Data(sample, 'the sample').map((x) => (x - end.mean) / end.deviation)
    return Math.max(...scores.map((score, i) => Math.abs(score - SCORES[i])))
  }

  it.each(titled(CASES))('is approached at its order by %s', (_, given) => expectOrder(given, errorOfPaths))

  // PNDM combines outputs of different samples before it asks what they mean, so there it matters what they are.
  const typed = CASES.filter(({ name, options = {} }) => {
    const Class: SchedulerClass = schedulers[name]
    return 'predictionType' in Class.options && !('predictionType' in options) && name !== 'PNDMScheduler'
  })
  it.each(titled(typed))('is found the same way whatever is predicted by %s', (_, given) => {
    const { predictionType }: SchedulerClass['options'] = schedulers[given.name].options
    const types = predictionType.expected.split(', ').filter((type) => type !== 'flow_prediction')
    const errors = types.map((type) =>
      errorOfPaths({ ...given, options: { ...given.options, predictionType: type } }, 13),
    )
    for (const error of errors) expect(Math.abs(error - errors[0])).toBeLessThan(1e-5)
  })
})

describe('the exact distribution of a stochastic equation', () => {
  const STOCHASTIC: readonly Case[] = [
    { name: 'DDPMScheduler', order: 1 },
    { name: 'DDPMScheduler', options: { varianceType: 'fixed_large' }, order: 1 },
    { name: 'DDIMScheduler', step: { eta: 1 }, order: 1 },
    { name: 'DDIMScheduler', step: { eta: 0.5 }, order: 1 },
    { name: 'RePaintScheduler', options: { eta: 1 }, schedule: { jumpNSample: 1 }, order: 1 },
    { name: 'EulerAncestralDiscreteScheduler', order: 1 },
    { name: 'EulerDiscreteScheduler', step: { sChurn: 10 }, order: 1 },
    { name: 'EDMEulerScheduler', step: { sChurn: 10 }, order: 0.8 },
    { name: 'KDPM2AncestralDiscreteScheduler', order: 2 },
    { name: 'DPMSolverMultistepScheduler', options: { algorithmType: 'sde-dpmsolver++', solverOrder: 1 }, order: 1 },
    ...TYPES.map(
      (solverType): Case => ({
        name: 'DPMSolverMultistepScheduler',
        options: { algorithmType: 'sde-dpmsolver++', solverType },
        order: 2,
      }),
    ),
    // Diffusers' formula of third order has a wrong sign in its last term, which leaves the first.
    { name: 'DPMSolverMultistepScheduler', options: { algorithmType: 'sde-dpmsolver++', solverOrder: 3 }, order: 0.9 },
    ...TYPES.map(
      (solverType): Case => ({
        name: 'DPMSolverMultistepScheduler',
        options: { algorithmType: 'sde-dpmsolver', solverType, finalSigmasType: 'sigma_min' },
        order: 2,
      }),
    ),
    // Each step of a group starts from the same sample with fresh noise, which leaves the first order.
    ...[1, 2, 3].map(
      (solverOrder): Case => ({
        name: 'DPMSolverSinglestepScheduler',
        options: { algorithmType: 'sde-dpmsolver++', solverOrder },
        order: 0.85,
      }),
    ),
    ...[1, 2].map(
      (order): Case => ({
        name: 'EDMDPMSolverMultistepScheduler',
        options: { algorithmType: 'sde-dpmsolver++', solverOrder: order },
        order,
      }),
    ),
    ...['data_prediction', 'noise_prediction'].flatMap((algorithmType) =>
      [2, 3].map(
        (order): Case => ({
          name: 'SASolverScheduler',
          options: { algorithmType, predictorOrder: order, correctorOrder: order, tauFunc: () => 1 },
          order: 2,
        }),
      ),
    ),
    { name: 'SASolverScheduler', order: 2 },
  ]

  /**
   * How far mean and variance are from those of the noise level, relative to these, at a step of the run. Every element
   * goes its own way: the first without any noise, the second from a start one deviation off, each other with noise of 1 at
   * one step. As all steps are linear, their distances from the first are the parts of the variance.
   */
  function errorOfDistribution(
    scheduler: Scheduler,
    end: number,
    level: NoiseLevel,
    step?: StepOptions,
    guess?: (index: number) => Guess,
  ) {
    const elements = end + 2
    const dims = [1, 1, 1, elements]
    const start = marginal(sampleLevel(scheduler, 0))
    const values = new Float32Array(elements).fill(start.mean)
    values[1] += start.deviation
    let sample = float32Tensor(dims, values)
    const painting = scheduler instanceof RePaintScheduler && {
      originalImage: float32Tensor(dims),
      mask: float32Tensor(dims),
    }
    for (let index = 0; index < end; index++) {
      const noise = new Float32Array(elements)
      noise[index + 2] = 1
      const options = { ...step, ...painting, varianceNoise: float32Tensor(dims, noise) }
      sample = stepOnce(scheduler, index, sample, options, guess?.(index))
    }
    const [mean, ...others] = float32Data(sample, 'the sample')
    const variance = others.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    const expected = marginal(level)
    return Math.max(
      Math.abs(mean - expected.mean) / expected.deviation,
      Math.abs(variance / expected.deviation ** 2 - 1),
    )
  }

  it.each(titled(STOCHASTIC))('is approached at its order by %s', (_, given) => {
    expectOrder(given, ({ name, options, schedule, step }, steps) => {
      const scheduler = make(name, options)
      scheduler.setTimesteps(steps, schedule)
      const last = scheduler.timesteps.length - 1
      return errorOfDistribution(scheduler, last, sampleLevel(scheduler, last), step)
    })
  })

  // A distilled model knows where the flow ends, so that a jump there loses nothing, nor does fresh noise from there.
  const DISTILLED: readonly Omit<Case, 'order'>[] = [
    { name: 'LCMScheduler', options: { originalInferenceSteps: 960 } },
    { name: 'FlowMatchLCMScheduler' },
    { name: 'FlowMatchLCMScheduler', options: { shift: 3 } },
    { name: 'FlowMatchEulerDiscreteScheduler', options: { stochasticSampling: true } },
    { name: 'TCDScheduler', options: { originalInferenceSteps: 960 }, step: { eta: 0 } },
    { name: 'TCDScheduler', options: { originalInferenceSteps: 960 }, step: { eta: 0.3 } },
    { name: 'TCDScheduler', options: { originalInferenceSteps: 960 }, step: { eta: 1 } },
  ]
  it.each(DISTILLED.map((each) => [title({ ...each, order: 0 }), each] as const))(
    'is met in any number of steps by a distilled model with %s',
    (_, { name, options, step }) => {
      for (const steps of [1, 2, 4, 7]) {
        const scheduler = make(name, options)
        scheduler.setTimesteps(steps)
        const guess = (index: number) => {
          if (name !== 'TCDScheduler') return endOfFlow
          const share = Math.fround(1 - (step?.eta ?? 0))
          return pictureThatLeadsTo(toyLevel(Math.floor(share * (scheduler.timesteps[index + 1] ?? 0))))
        }
        const level = name === 'TCDScheduler' ? toyLevel(0) : CLEAN
        expect(errorOfDistribution(scheduler, steps, level, step, guess)).toBeLessThan(1e-4)
      }
    },
  )

  function toyLevel(timestep: number): NoiseLevel {
    return levelOfAlphaCumprod(
      alphasCumprod(new DDIMScheduler({ trainedBetas, numTrainTimesteps: TRAINING }).config)[timestep],
    )
  }
})

describe('with the noise of a Brownian tree, which is the same whatever the steps', () => {
  const CASES: readonly Case[] = [
    { name: 'DPMSolverSDEScheduler', order: 1 },
    { name: 'DPMSolverSDEScheduler', options: { useKarrasSigmas: true }, order: 1 },
    { name: 'CosineDPMSolverMultistepScheduler', options: { solverOrder: 1 }, order: 1 },
    { name: 'CosineDPMSolverMultistepScheduler', order: 1 },
  ]
  const DIMS = [1, 4, 64, 64]

  /** The samples at the last level above 0, as standard scores. */
  function scores({ name, options }: Case, steps: number): Float32Array {
    const scheduler = make(name, options)
    scheduler.setTimesteps(steps)
    const last = scheduler.timesteps.length - 1
    const start = marginal(sampleLevel(scheduler, 0))
    let sample = float32Tensor(
      DIMS,
      float32Data(new Generator(1).randn(DIMS), 'noise').map((z) => start.mean + start.deviation * z),
    )
    for (let index = 0; index < last; index++)
      sample = stepOnce(scheduler, index, sample, { generator: new Generator(2) })
    const end = marginal(sampleLevel(scheduler, last))
    return float32Data(sample, 'the sample').map((x) => (x - end.mean) / end.deviation)
  }

  it.each(titled(CASES))('paths come closer to each other at the order of %s', (_, given) => {
    const [few, more, many] = [25, 49, 97].map((steps) => scores(given, steps))
    const distance = (a: Float32Array, b: Float32Array) =>
      Math.hypot(...a.map((z, i) => z - b[i])) / Math.sqrt(a.length)
    const [before, after] = [distance(few, more), distance(more, many)]
    expect(Math.abs(Math.log2(before / after) - given.order), `distances ${before} and ${after}`).toBeLessThan(0.3)
  })

  it.each(titled(CASES))('samples have the mean and the variance of their noise level with %s', (_, given) => {
    // The first order comes within a twentieth in 193 steps, the second in 49.
    const found = scores(given, given.options?.solverOrder === 1 ? 193 : 49)
    const mean = found.reduce((sum, z) => sum + z, 0) / found.length
    const variance = found.reduce((sum, z) => sum + (z - mean) ** 2, 0) / found.length
    // Four standard errors of as many normal numbers, and the method's own error.
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(found.length))
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / found.length) + 0.03)
  })
})

it('covers every scheduler', () => {
  const text = readFileSync(new URL(import.meta.url), 'utf8')
  for (const name of Object.keys(schedulers)) expect(text).toContain(`'${name}'`)
})
