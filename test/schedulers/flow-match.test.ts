import { describe, expect, it } from 'vitest'
import { Generator } from '../../src/core/generator'
import { float32Tensor } from '../../src/core/tensor'
import { FlowMatchEulerDiscreteScheduler, FlowMatchLCMScheduler } from '../../src/schedulers'

describe('flow-matching schedules', () => {
  it('ends where shiftTerminal says', () => {
    const scheduler = new FlowMatchEulerDiscreteScheduler({ shift: 3, shiftTerminal: 0.1 })
    scheduler.setTimesteps(8)
    expect(scheduler.sigmas?.[0]).toBe(1)
    expect(scheduler.sigmas?.[7]).toBeCloseTo(0.1, 6)
    expect(scheduler.sigmas?.[8]).toBe(0)
    expect(scheduler.timesteps[7]).toBeCloseTo(100, 3)
  })

  it('stays whole where there is but one step to stretch', () => {
    const scheduler = new FlowMatchEulerDiscreteScheduler({ shiftTerminal: 0.1 })
    scheduler.setTimesteps(1)
    expect([...(scheduler.sigmas ?? [])]).toEqual([1, 0])
  })

  it('shifts by mu, or by its exponential', () => {
    const [linear, exponential] = (['linear', 'exponential'] as const).map((timeShiftType) => {
      const scheduler = new FlowMatchEulerDiscreteScheduler({ useDynamicShifting: true, timeShiftType })
      scheduler.setTimesteps(undefined, { sigmas: [1, 0.5, 0.25], mu: 1.5 })
      return [...(scheduler.sigmas ?? [])]
    })
    // shift / (shift + 1/σ − 1)
    expect(linear).toEqual([1, 1.5 / 2.5, 1.5 / 4.5, 0].map(Math.fround))
    const shift = Math.exp(1.5)
    expect(exponential).toEqual([1, shift / (shift + 1), shift / (shift + 3), 0].map(Math.fround))
  })

  it('runs the other way when inverted, and ends in noise', () => {
    const scheduler = new FlowMatchEulerDiscreteScheduler({ invertSigmas: true })
    scheduler.setTimesteps(undefined, { sigmas: [1, 0.75, 0.5] })
    expect([...(scheduler.sigmas ?? [])]).toEqual([0, 0.25, 0.5, 1])
    expect(scheduler.timesteps).toEqual([0, 250, 500])
  })

  it('keeps given timesteps as they are, and shifts their sigmas', () => {
    const scheduler = new FlowMatchEulerDiscreteScheduler({ shift: 3 })
    scheduler.setTimesteps(undefined, { timesteps: [1000, 500] })
    expect(scheduler.timesteps).toEqual([1000, 500])
    expect([...(scheduler.sigmas ?? [])]).toEqual([1, 0.75, 0])
  })

  it('wants mu with dynamic shifting, and only then', () => {
    const dynamic = new FlowMatchEulerDiscreteScheduler({ useDynamicShifting: true })
    expect(() => dynamic.setTimesteps(4)).toThrow('mu goes with useDynamicShifting: got mu undefined')
    const plain = new FlowMatchEulerDiscreteScheduler()
    expect(() => plain.setTimesteps(4, { mu: 1 })).toThrow('got mu 1 and useDynamicShifting false')
  })

  it('mixes a picture with noise in proportion to sigma', () => {
    const scheduler = new FlowMatchEulerDiscreteScheduler()
    scheduler.setTimesteps(undefined, { sigmas: [1, 0.25] })
    const [picture, noise] = [2, 10].map((value) => float32Tensor([1, 1, 1, 1], Float32Array.of(value)))
    expect(scheduler.addNoise(picture, noise, [250]).data[0]).toBe(4)
  })
})

describe('FlowMatchLCMScheduler', () => {
  it('lets the picture grow by its scale factors', () => {
    const scheduler = new FlowMatchLCMScheduler({ scaleFactors: [1.5, 2], upscaleMode: 'nearest' })
    scheduler.setTimesteps(3)
    const generator = new Generator(1)
    let sample = generator.randn([1, 4, 4, 6])
    const sizes = scheduler.timesteps.map((timestep) => {
      sample = scheduler.step(float32Tensor(sample.dims), timestep, sample, { generator }).prevSample
      return sample.dims.slice(2)
    })
    expect(sizes).toEqual([
      [6, 9],
      [8, 12],
      [8, 12],
    ])
  })

  it('resizes what it expects, and adds noise of the new size', () => {
    const scheduler = new FlowMatchLCMScheduler({ scaleFactors: [2], upscaleMode: 'nearest' })
    scheduler.setTimesteps(undefined, { sigmas: [1, 0.5] })
    const sample = float32Tensor([1, 1, 1, 2], Float32Array.of(3, 5))
    const varianceNoise = float32Tensor([1, 1, 2, 4], new Float32Array(8).fill(10))
    const output = float32Tensor([1, 1, 1, 2], Float32Array.of(1, 1))
    const { prevSample, predOriginalSample } = scheduler.step(output, 1000, sample, { varianceNoise })
    expect([...((predOriginalSample ?? sample).data as Float32Array)]).toEqual([2, 2, 4, 4, 2, 2, 4, 4])
    expect([...(prevSample.data as Float32Array)]).toEqual([6, 6, 7, 7, 6, 6, 7, 7])
  })

  it('wants one step more than factors', () => {
    const scheduler = new FlowMatchLCMScheduler({ scaleFactors: [1.5, 2] })
    expect(() => scheduler.setTimesteps(4)).toThrow('got 4, expected 3, one more than there are scaleFactors')
  })
})
