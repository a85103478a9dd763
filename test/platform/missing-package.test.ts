import { expect, it, vi } from 'vitest'
import { RuntimeError, UNet2DConditionModel } from '../../src/node'
import { tinyRepository } from '../repositories'

vi.mock('onnxruntime-node', () => {
  throw new Error("Cannot find package 'onnxruntime-node'")
})

it('says which command installs onnxruntime-node when it is missing', async () => {
  const options = { device: 'cpu', subfolder: 'unet' } as const
  const unet = await UNet2DConditionModel.fromPretrained(tinyRepository('tiny-sd1'), options)
  const error = await unet.load().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(RuntimeError)
  expect((error as RuntimeError).message).toContain('npm install onnxruntime-node')
  expect((error as RuntimeError).cause).toBeDefined()
})
