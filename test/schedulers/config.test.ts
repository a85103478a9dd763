import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../src/core/errors'
import {
  DDIMScheduler,
  DDPMScheduler,
  DPMSolverMultistepScheduler,
  EulerDiscreteScheduler,
  LCMScheduler,
  PNDMScheduler,
  type SchedulerClass,
  schedulerFromConfig,
  schedulers,
  UniPCMultistepScheduler,
} from '../../src/schedulers'
import { run } from './toy'

/** Stable Diffusion 1.5's, as it stands in its repository. */
const SD15 = {
  _class_name: 'PNDMScheduler',
  _diffusers_version: '0.6.0',
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  beta_start: 0.00085,
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  trained_betas: null,
  clip_sample: false,
}

const path = new URL('../fixtures/goldens/schedulers.json', import.meta.url)
const goldens: { scheduler: string; config: object }[] = JSON.parse(
  readFileSync(path, 'utf8').replaceAll(/NaN|-?Infinity/g, 'null'),
)

describe('a config', () => {
  it('is read from a repository’s file, with the class’s defaults where it is silent', () => {
    const { config } = schedulerFromConfig(SD15) as PNDMScheduler
    expect(config).toMatchObject({ betaStart: 0.00085, betaSchedule: 'scaled_linear', skipPrkSteps: true })
    expect(config).toMatchObject({ timestepSpacing: 'leading', predictionType: 'epsilon', trainedBetas: null })
    expect(Object.isFrozen(config)).toBe(true)
  })

  it('takes overrides in either case style, which win', () => {
    const config = { ...SD15, timestep_spacing: 'trailing' }
    expect(DDIMScheduler.fromConfig(config, { timestepSpacing: 'linspace' }).config.timestepSpacing).toBe('linspace')
    expect(DDIMScheduler.fromConfig(config, { timestep_spacing: 'linspace' }).config.timestepSpacing).toBe('linspace')
    expect(DDIMScheduler.fromConfig(config, { timestepSpacing: undefined }).config.timestepSpacing).toBe('trailing')
  })

  it('gives another class its own defaults for what was only a default, as diffusers does', () => {
    const leading = PNDMScheduler.fromConfig({ ...SD15, timestep_spacing: 'leading' })
    expect(EulerDiscreteScheduler.fromConfig(leading.config).config.timestepSpacing).toBe('leading')
    const silent = PNDMScheduler.fromConfig(SD15)
    expect(silent.config.timestepSpacing).toBe('leading')
    expect(EulerDiscreteScheduler.fromConfig(silent.config).config.timestepSpacing).toBe('linspace')
    const diffusers = { ...SD15, timestep_spacing: 'leading', _use_default_values: ['timestep_spacing'] }
    expect(EulerDiscreteScheduler.fromConfig(diffusers).config.timestepSpacing).toBe('linspace')
  })

  it('repairs what old versions wrote', () => {
    const old = { ...SD15, predict_epsilon: false, thresholding: null }
    expect(DDPMScheduler.fromConfig(old).config).toMatchObject({ predictionType: 'sample', thresholding: false })
    expect(DDPMScheduler.fromConfig({ predict_epsilon: true }).config.predictionType).toBe('epsilon')
    expect(EulerDiscreteScheduler.fromConfig({ prediction_type: 'original_sample' }).config.predictionType).toBe(
      'sample',
    )
  })

  it('lets options of other classes have no effect', () => {
    const zeroSnr = DDIMScheduler.fromConfig(SD15, { rescaleBetasZeroSnr: true, predictionType: 'v_prediction' })
    const plain = PNDMScheduler.fromConfig({ ...SD15, prediction_type: 'v_prediction' })
    const switched = PNDMScheduler.fromConfig(zeroSnr.config)
    for (const scheduler of [plain, switched]) scheduler.setTimesteps(5)
    expect(run(switched)).toEqual(run(plain))
  })

  it('translates what other classes call differently, and back', () => {
    const sde = DPMSolverMultistepScheduler.fromConfig(SD15, { algorithmType: 'sde-dpmsolver++', solverType: 'heun' })
    const unipc = UniPCMultistepScheduler.fromConfig(sde.config)
    expect(unipc.config.solverType).toBe('bh2')
    expect(DPMSolverMultistepScheduler.fromConfig(unipc.config).config).toEqual(sde.config)
  })

  it('survives JSON', () => {
    const scheduler = DPMSolverMultistepScheduler.fromConfig(SD15, { useKarrasSigmas: true })
    const copy = schedulerFromConfig(JSON.parse(JSON.stringify(scheduler.config)))
    expect(copy.config).toEqual(scheduler.config)
  })
})

describe('a wrong option', () => {
  const cases: [string, () => unknown, string | RegExp][] = [
    [
      'an unknown override',
      () => EulerDiscreteScheduler.fromConfig(SD15, { useKarasSigmas: true }),
      '[latentkit] [EulerDiscreteScheduler] unknown option: got useKarasSigmas, expected one it has, such as useKarrasSigmas',
    ],
    [
      'an unknown option of the constructor',
      () => new DDIMScheduler({ clip_samples: true }),
      'unknown option: got clipSamples, expected one it has, such as clipSample',
    ],
    [
      'an unknown word',
      () => schedulerFromConfig({ ...SD15, beta_schedule: 'quadratic' }),
      '[PNDMScheduler] option betaSchedule is not supported: got "quadratic", expected linear, scaled_linear',
    ],
    [
      'a value of the wrong type',
      () => schedulerFromConfig({ ...SD15, beta_start: '0.00085' }),
      'option betaStart is not supported: got "0.00085", expected a number from 0 to 1',
    ],
    [
      'two sigma schedules',
      () => new EulerDiscreteScheduler({ useKarrasSigmas: true, useExponentialSigmas: true }),
      'contradictory options: got useKarrasSigmas and useExponentialSigmas',
    ],
    [
      'a solver that has no limit at 0',
      () => new DPMSolverMultistepScheduler({ algorithmType: 'dpmsolver' }),
      'contradictory options: got algorithmType dpmsolver with finalSigmasType zero, expected sigma_min',
    ],
    [
      'betas of the wrong number',
      () => new DDIMScheduler({ trainedBetas: [0.1, 0.2] }),
      'option trainedBetas has the wrong length: got 2, expected numTrainTimesteps, 1000',
    ],
    [
      'noise that says nothing of pure noise',
      () => new DDIMScheduler({ rescaleBetasZeroSnr: true, timestepSpacing: 'trailing' }).setTimesteps(4),
      'contradictory options: got rescaleBetasZeroSnr with predictionType epsilon',
    ],
    ['no class', () => schedulerFromConfig({}), 'the config names no class: got _class_name undefined'],
    [
      'an unknown class',
      () => schedulerFromConfig({ _class_name: 'EulerDiscretScheduler' }),
      /got EulerDiscretScheduler, expected one of .*DDIMScheduler, .* \(closest: EulerDiscreteScheduler\)/,
    ],
  ]
  it.each(cases)('is named: %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})

describe('setTimesteps', () => {
  const euler = new EulerDiscreteScheduler()
  const cases: [string, () => unknown, string][] = [
    ['nothing', () => euler.setTimesteps(), 'wrong number of inference steps: got undefined, expected an integer of 1'],
    ['0 steps', () => euler.setTimesteps(0), 'got 0, expected an integer of 1 or more'],
    ['half a step', () => euler.setTimesteps(2.5), 'got 2.5, expected an integer of 1 or more'],
    ['NaN steps', () => euler.setTimesteps(Number.NaN), 'got NaN, expected an integer of 1 or more'],
    [
      'two schedules',
      () => euler.setTimesteps(undefined, { timesteps: [3, 1], sigmas: [2, 1] }),
      'two schedules: got timesteps and sigmas',
    ],
    [
      'a number and a list',
      () => euler.setTimesteps(2, { timesteps: [3, 1] }),
      'two schedules: got numInferenceSteps and',
    ],
    ['an empty list', () => euler.setTimesteps(undefined, { timesteps: [] }), 'not a schedule: got []'],
    [
      'a list that ascends',
      () => euler.setTimesteps(undefined, { timesteps: [1, 3] }),
      'not a schedule: got [1, 3], expected numbers of 0 or more, each below the last',
    ],
    [
      'sigmas where there are none',
      () => new DDIMScheduler().setTimesteps(undefined, { sigmas: [2, 1] }),
      '[DDIMScheduler] setTimesteps() does not take this option: got sigmas, expected none',
    ],
    [
      'timesteps that are chosen already',
      () => new EulerDiscreteScheduler({ useKarrasSigmas: true }).setTimesteps(undefined, { timesteps: [3, 1] }),
      "timesteps can't be chosen: got them with karras sigmas",
    ],
    [
      'more steps than there are',
      () => new DDIMScheduler({ numTrainTimesteps: 10 }).setTimesteps(11),
      'too many inference steps: got 11, expected at most numTrainTimesteps, 10',
    ],
    [
      'more steps than were distilled',
      () => new LCMScheduler().setTimesteps(4, { strength: 0.05 }),
      'too many inference steps: got 4, expected at most 2',
    ],
  ]
  it.each(cases)('refuses %s', (_, plan, message) => {
    expect(plan).toThrow(InvalidArgumentError)
    expect(plan).toThrow(message)
  })
})

describe('fromConfig', () => {
  const classes = Object.values(schedulers) as SchedulerClass[]
  const configs = (Class: SchedulerClass) => [
    new Class().config,
    ...goldens
      .filter(({ scheduler }) => scheduler === Class.className)
      .map(({ config }) => new Class({}, config).config),
  ]

  it.each(classes.map((Class) => [Class.className, Class] as const))('loses nothing of %s', (_, Class) => {
    for (const config of configs(Class)) {
      for (const Other of classes) {
        let other: object
        try {
          other = new Other({}, config).config
        } catch (error) {
          // What another class can't do at all it refuses, by name.
          expect(error).toBeInstanceOf(InvalidArgumentError)
          expect(String(error)).toMatch(/option \w+ is not supported|contradictory options/)
          continue
        }
        expect(new Class({}, other).config).toEqual(config)
      }
    }
  })

  it('can switch between any two with their defaults', () => {
    for (const A of classes) {
      for (const B of classes) expect(() => new B({}, new A().config)).not.toThrow()
    }
  })

  it('can go through all classes and come back', () => {
    const start = new DDIMScheduler({ clipSample: false, stepsOffset: 1 }, SD15)
    const end = classes.reduce<object>((config, Class) => new Class({}, config).config, start.config)
    expect(DDIMScheduler.fromConfig(end).config).toEqual(start.config)
  })
})
