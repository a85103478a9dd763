import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatentkitError } from '../../src/core/errors'
import { Generator } from '../../src/core/generator'
import { float32Tensor } from '../../src/core/tensor'
import { type Scheduler, type SchedulerClass, schedulers } from '../../src/schedulers'
import { run } from './toy'

const RUNS = 60
const SCHEDULE_FLAGS = ['useKarrasSigmas', 'useExponentialSigmas', 'useBetaSigmas', 'useLuLambdas', 'useFlowSigmas']
const NUMBERS: Record<string, fc.Arbitrary<unknown>> = {
  betaStart: fc.double({ min: 1e-5, max: 2e-3, noNaN: true }),
  betaEnd: fc.double({ min: 5e-3, max: 3e-2, noNaN: true }),
  numTrainTimesteps: fc.constantFrom(1000, 500),
  stepsOffset: fc.constantFrom(0, 1),
  solverOrder: fc.integer({ min: 1, max: 3 }),
  predictorOrder: fc.integer({ min: 1, max: 4 }),
  correctorOrder: fc.integer({ min: 1, max: 4 }),
  sampleMaxValue: fc.double({ min: 1, max: 3, noNaN: true }),
  dynamicThresholdingRatio: fc.double({ min: 0.5, max: 1, noNaN: true }),
  lambdaMinClipped: fc.constantFrom(-Infinity, -5.1),
  flowShift: fc.double({ min: 0.5, max: 5, noNaN: true }),
  shift: fc.double({ min: 0.5, max: 5, noNaN: true }),
}

/** Any options of a class: its flags and words, one sigma schedule at most, and some of its numbers. */
function optionsOf(Class: SchedulerClass): fc.Arbitrary<Record<string, unknown>> {
  const arbitraries: Record<string, fc.Arbitrary<unknown>> = {}
  for (const [key, option] of Object.entries(Class.options)) {
    if (key in NUMBERS) arbitraries[key] = NUMBERS[key]
    else if (SCHEDULE_FLAGS.includes(key)) continue
    else if (typeof option.initial === 'boolean') arbitraries[key] = fc.boolean()
    else if (typeof option.initial === 'string') arbitraries[key] = fc.constantFrom(...option.expected.split(', '))
  }
  const flags = SCHEDULE_FLAGS.filter((flag) => flag in Class.options)
  const schedule = fc.constantFrom({}, {}, ...flags.map((flag) => ({ [flag]: true })))
  return fc
    .tuple(fc.record(arbitraries, { requiredKeys: [] }), schedule)
    .map(([options, flag]) => ({ ...options, ...flag }))
}

/** Plans a run, with what its options call for; one that goes back goes back once, which takes less noise. */
function setTimesteps(scheduler: Scheduler, steps: number): void {
  const { config, scheduleOptions } = scheduler
  const shifts = 'useDynamicShifting' in config && config.useDynamicShifting === true
  const jumps = scheduleOptions.has('jumpNSample')
  scheduler.setTimesteps(steps, { ...(shifts && { mu: 0.7 }), ...(jumps && { jumpNSample: 2 }) })
}

/** A planned run, or undefined where the class says that the options make none. */
function plan(Class: SchedulerClass, options: object, steps: number): Scheduler | undefined {
  try {
    const scheduler = new Class(options)
    setTimesteps(scheduler, steps)
    return scheduler
  } catch (error) {
    expect(error).toBeInstanceOf(LatentkitError)
    return undefined
  }
}

describe.each(Object.values(schedulers) as SchedulerClass[])('$className', (Class) => {
  const options = optionsOf(Class)
  const steps = fc.integer({ min: 1, max: 24 })
  const seed = fc.integer({ min: 0, max: 2 ** 31 })
  // RePaint goes back and forth; second-order methods list points between steps, which need not lie in order.
  const inOrder = Class.className !== 'RePaintScheduler' && new Class().order === 1

  it('ends every run in finite numbers, and plans descending timesteps', () => {
    let planned = 0
    fc.assert(
      fc.property(options, steps, seed, (given, count, number) => {
        const scheduler = plan(Class, given, count)
        if (!scheduler) return
        planned++
        const { timesteps, sigmas } = scheduler
        expect(timesteps.every(Number.isFinite)).toBe(true)
        const ascends = Class.className.includes('Inverse') || ('invertSigmas' in given && given.invertSigmas === true)
        if (inOrder) expect(timesteps).toEqual(timesteps.toSorted((a, b) => (ascends ? a - b : b - a)))
        if (sigmas) expect(sigmas.every(Number.isFinite)).toBe(true)
        expect(Number.isFinite(scheduler.initNoiseSigma)).toBe(true)
        expect(run(scheduler, number).every(Number.isFinite)).toBe(true)
      }),
      { numRuns: RUNS },
    )
    // A test of nothing is no test: most options must make a run.
    expect(planned).toBeGreaterThan(RUNS / 4)
  })

  it('gives the same for the same seed: on the same scheduler again, and on a clone', () => {
    fc.assert(
      fc.property(options, steps, steps, seed, (given, count, other, number) => {
        const scheduler = plan(Class, given, count)
        if (!scheduler) return
        const first = run(scheduler, number)
        const again = plan(Class, given, other)
        if (again) {
          run(again, number)
          setTimesteps(again, count)
          expect(run(again, number)).toEqual(first)
        }
        const clone = scheduler.clone()
        expect(clone.config).toEqual(scheduler.config)
        expect(clone.timesteps).toEqual([])
      }),
      { numRuns: RUNS / 3 },
    )
  })

  it('refuses a step before a plan, and one after the last', () => {
    const sample = float32Tensor([1, 4, 4, 4])
    const generator = new Generator(1)
    expect(() => new Class().step(sample, 0, sample, { generator })).toThrow('expected setTimesteps() before it')
  })

  it('leaves the tensors it is given as they were', () => {
    const scheduler = new Class()
    scheduler.setTimesteps(4)
    const sample = new Generator(1).randn([1, 4, 4, 4])
    const output = new Generator(2).randn([1, 4, 4, 4])
    const copies = [sample, output].map(({ data }) => (data as Float32Array).slice())
    const paint = scheduler.stepOptions.has('originalImage') ? { originalImage: sample, mask: output } : {}
    const [timestep] = scheduler.timesteps
    scheduler.scaleModelInput(sample, timestep)
    scheduler.addNoise(sample, output, [timestep])
    scheduler.step(output, timestep, sample, { generator: new Generator(3), ...paint })
    expect([sample.data, output.data]).toEqual(copies)
  })

  it('makes each picture of a batch as it makes it alone, given its generator', () => {
    const runs = ([5, 6, [5, 6]] as const).map((seed) => {
      const scheduler = new Class()
      scheduler.setTimesteps(5)
      return run(scheduler, seed)
    })
    expect(runs[2]).toEqual(Float32Array.from([...runs[0], ...runs[1]]))
  })
})
