import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { promptText, shapePrompts } from '../../examples/shape-prompts'
import {
  DPMSolverMultistepScheduler,
  type RawImage,
  StableDiffusionImg2ImgPipeline,
  StableDiffusionPipeline,
  schedulerFromConfig,
} from '../../src/node'
import { difference, fixture, goldenTensors } from '../goldens'

// float32 on both sides, on a CPU: the sums of a network differ in their order, which 20 to 25 steps with guidance make
// larger. One grey level is 3.9e-3.
const imageTolerance = 4e-3

interface Case {
  readonly id: string
  readonly pipeline: string
  readonly call: {
    readonly prompt: string
    readonly image?: string
    readonly strength?: number
    readonly num_inference_steps: number
    readonly guidance_scale: number
  }
  readonly seed: number
  readonly scheduler: { readonly class: string; readonly overrides: object } | null
}

const { cases } = JSON.parse(readFileSync(fixture('goldens/shapes/cases.json'), 'utf8')) as { cases: Case[] }

let pipe: StableDiffusionPipeline
beforeAll(async () => {
  pipe = await StableDiffusionPipeline.fromPretrained('models/tiny-shapes', { device: 'cpu' })
})
afterAll(() => pipe.dispose())

describe('tiny-shapes draws what it draws in diffusers', () => {
  it.each(cases)('$id', async ({ id, pipeline, call, seed, scheduler: wanted }) => {
    const { config } = pipe.scheduler
    const scheduler = wanted
      ? schedulerFromConfig({ ...config, _className: wanted.class }, wanted.overrides)
      : undefined
    const { prompt, image, strength, num_inference_steps: numInferenceSteps, guidance_scale: guidanceScale } = call
    const options = { prompt, numInferenceSteps, guidanceScale, seed, outputType: 'tensor' } as const
    expect(pipeline).toBe(image ? 'StableDiffusionImg2ImgPipeline' : 'StableDiffusionPipeline')
    const { images } = image
      ? await StableDiffusionImg2ImgPipeline.fromPipe(pipe, { scheduler }).run({
          ...options,
          image: fixture(`goldens/shapes/${image}`),
          strength,
        })
      : await StableDiffusionPipeline.fromPipe(pipe, { scheduler }).run(options)
    const golden = await goldenTensors(`shapes/${id}.safetensors`)
    expect(difference(images, golden.image).largest).toBeLessThanOrEqual(imageTolerance)
  })
})

type Color = readonly number[]

/** What the twelve names mean in its pictures, RGB. */
const namedColors: Readonly<Record<string, Color>> = {
  red: [205, 40, 32],
  orange: [246, 140, 20],
  yellow: [251, 212, 27],
  green: [40, 150, 68],
  cyan: [36, 205, 222],
  blue: [33, 86, 223],
  purple: [150, 50, 202],
  pink: [240, 123, 183],
  white: [255, 255, 255],
  black: [16, 14, 18],
  gray: [136, 136, 137],
  brown: [134, 80, 48],
}

function distance(a: Color, b: Color): number {
  return Math.hypot(...a.map((value, i) => value - b[i]))
}

/** The name of the mean color of `size`×`size` pixels. */
function colorAt({ data, width }: RawImage, left: number, top: number, size = 8): string {
  const sum = [0, 0, 0]
  for (let y = top; y < top + size; y++) {
    for (let x = left; x < left + size; x++) {
      for (let c = 0; c < 3; c++) sum[c] += data[(y * width + x) * 3 + c]
    }
  }
  const mean = sum.map((value) => value / size ** 2)
  const [[name]] = Object.entries(namedColors).sort(([, a], [, b]) => distance(mean, a) - distance(mean, b))
  return name
}

describe('tiny-shapes keeps to the colors of the prompt', () => {
  it('has prompts with every color, as a shape and as a background', () => {
    const names = Object.keys(namedColors).sort()
    expect(shapePrompts).toHaveLength(24)
    expect([...new Set(shapePrompts.map(({ color }) => color))].sort()).toEqual(names)
    expect([...new Set(shapePrompts.map(({ background }) => background))].sort()).toEqual(names)
  })

  it('in the middle and in the corners of 24 pictures', async () => {
    const scheduler = DPMSolverMultistepScheduler.fromConfig(pipe.scheduler.config)
    const { images } = await StableDiffusionPipeline.fromPipe(pipe, { scheduler }).run({
      prompt: shapePrompts.map(promptText),
      seed: shapePrompts.map((_, i) => i),
      numInferenceSteps: 20,
      guidanceScale: 5,
    })
    const found = images.map((image) => {
      const far = image.width - 10
      const corners = [colorAt(image, 2, 2), colorAt(image, far, 2), colorAt(image, 2, far), colorAt(image, far, far)]
      return { middle: colorAt(image, image.width / 2 - 4, image.height / 2 - 4), corners }
    })
    const expected = shapePrompts.map(({ color, background }) => ({
      middle: color,
      corners: [background, background, background, background],
    }))
    expect(found).toEqual(expected)
  })
})
