import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { bytesSource, OnnxRuntimeNodeBackend, StableDiffusionPipeline } from '../../src/node'
import { backendContract } from '../contracts/backend'
import { difference, expectClose, fixture, goldenTensors } from '../goldens'
import { tinyRepository } from '../repositories'
import { drawCase, type GoldenCase } from './golden-case'

// SwiftShader as Chromium brings it, unless the machine names another driver.
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json'
if (existsSync(swiftShader)) process.env.VK_ICD_FILENAMES ??= swiftShader

// As in a browser (see goldens.test.ts): measured are 5.8e-6 of the latents' largest value and 5.1e-6 in the picture.
const tolerance = 1e-4

const ids = ['txt2img-pndm', 'txt2img-EulerAncestralDiscreteScheduler', 'img2img-pndm']
const { cases } = JSON.parse(readFileSync(fixture('goldens/pipelines/cases.json'), 'utf8')) as { cases: GoldenCase[] }

describe('onnxruntime-node on webgpu', () => {
  let pipe: StableDiffusionPipeline
  const warn = vi.spyOn(console, 'warn')
  beforeAll(async () => {
    pipe = await StableDiffusionPipeline.fromPretrained(tinyRepository('tiny-sd1'), { device: 'webgpu', dtype: 'fp32' })
  })
  afterAll(() => pipe?.dispose())

  // Node cannot ask for a device without subgroups, as the page does: the fused attention would be wrong here.
  it('notices that SwiftShader computes the fused attention wrong', () => {
    if (process.env.VK_ICD_FILENAMES !== swiftShader) return
    expect(warn.mock.calls.flat().join('\n')).toContain('computes the fused attention wrong')
  })

  it.each(cases.filter(({ id }) => ids.includes(id)).map((each) => [each.id, each] as const))(
    'draws what diffusers draws: %s',
    async (id, golden) => {
      const { latents, image } = await drawCase(golden, pipe, fixture('goldens/pipelines'))
      const expected = await goldenTensors(`pipelines/${id}.safetensors`)
      expectClose(latents, expected.latents, tolerance, 'latents')
      expect(difference(image, expected.image).largest).toBeLessThanOrEqual(tolerance)
    },
  )

  it.each(Object.entries(backendContract))('keeps the contract of a backend: %s', async (_, keeps) => {
    const file = async (bytes: Uint8Array, name: string) => bytesSource(bytes, name)
    await keeps({ backend: new OnnxRuntimeNodeBackend(), device: 'webgpu', file })
  })
})
