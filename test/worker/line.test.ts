import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import * as latentkit from '../../src/node'
import { Generator, LatentkitError, RawImage, Tensor } from '../../src/node'
import { servePipelines } from '../../src/pipelines/remote/host'
import { pack, unpack } from '../../src/pipelines/remote/packing'
import type { HostMessage, Thread } from '../../src/pipelines/remote/protocol'
import { remotePipelines } from '../../src/pipelines/remote/remote-pipelines'
import { fixture } from '../goldens'

const prompt = 'a photo of a red circle on a blue background'
const short = { prompt, numInferenceSteps: 2, height: 64, width: 64, seed: 1 } as const

/** Both ends of a line in this thread: what the host sends can be looked at on its side, after it was sent. */
function openLine() {
  const { port1, port2 } = new MessageChannel()
  const sent: { message: HostMessage; transfer: readonly ArrayBuffer[]; lengths: number[] }[] = []
  let isBusy = false
  let end: (cause: unknown) => void = () => undefined
  servePipelines({
    postMessage(message, transfer) {
      const lengths = transfer.map(({ byteLength }) => byteLength)
      port2.postMessage(message, transfer)
      sent.push({ message: message as HostMessage, transfer, lengths })
    },
    onMessage: (listener) => void port2.on('message', listener),
  })
  const thread: Thread = {
    postMessage: (message, transfer) => port1.postMessage(message, transfer),
    onMessage: (listener) => void port1.on('message', listener),
    onEnd(listener) {
      end = listener
    },
    hold(busy) {
      isBusy = busy
    },
    async end() {
      port1.close()
    },
  }
  return { sent, pipelines: remotePipelines(() => thread), fail: (cause: unknown) => end(cause), isBusy: () => isBusy }
}

describe('what the host gives', () => {
  const line = openLine()
  const load = line.pipelines.StableDiffusionPipeline.fromPretrained(fixture('models/tiny-sd1'), { device: 'cpu' })
  afterEach(() => void line.sent.splice(0))

  it.each(['image', 'tensor', 'latent'] as const)('is moved, not copied: %s', async (outputType) => {
    const pipe = await load
    line.sent.splice(0)
    const { images } = await pipe.run({ ...short, outputType, numImagesPerPrompt: 2 })
    const arrays = Array.isArray(images) ? images.map(({ data }: RawImage) => data) : [images.data as Float32Array]
    const [{ transfer, lengths }] = line.sent.filter(({ message }) => message.type === 'result')
    expect(lengths).toEqual(arrays.map(({ byteLength }) => byteLength))
    // What was sent is empty on the side that sent it.
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual(arrays.map(() => 0))
  })

  it('is moved when it is a preview, and copied when denoising goes on from it', async () => {
    const pipe = await load
    for await (const step of pipe.stream(short)) {
      expect(line.sent.splice(0).flatMap(({ transfer }) => transfer)).toEqual([])
      expect(step.latents.size).toBe(256)
      const [preview] = await step.preview()
      const [{ transfer, lengths }] = line.sent
      expect(lengths).toEqual([preview.data.byteLength])
      expect(transfer[0].byteLength).toBe(0)
      line.sent.splice(0)
    }
  })
})

describe('a thread', () => {
  it('that ended fails what was asked of it, and what is', async () => {
    const line = openLine()
    const pipe = await line.pipelines.StableDiffusionPipeline.fromPretrained(fixture('models/tiny-sd1'))
    const run = pipe.run(short)
    const cause = new Error('out of memory')
    line.fail(cause)
    const expected = { code: 'ERR_RUNTIME', message: expect.stringMatching(/the worker ended: out of memory/), cause }
    await expect(run).rejects.toMatchObject(expected)
    await expect(pipe.run(short)).rejects.toMatchObject(expected)
    await expect(pipe.stream(short).next()).rejects.toMatchObject(expected)
  })

  it('is held only while something is waited for', async () => {
    const line = openLine()
    const loading = line.pipelines.StableDiffusionPipeline.fromPretrained(fixture('models/tiny-sd1'))
    expect(line.isBusy()).toBe(true)
    const pipe = await loading
    expect(line.isBusy()).toBe(false)
    const runs = [pipe.run(short), pipe.run({ ...short, numInferenceSteps: 4 })]
    expect(line.isBusy()).toBe(true)
    await Promise.all(runs)
    expect(line.isBusy()).toBe(false)
  })
})

/** Through a message, as to another thread. */
const sentOver = (value: unknown) => unpack(structuredClone(pack(value)))

describe('errors', () => {
  const options = {
    cause: new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ENOENT' }) }),
  }
  const errors = [
    new latentkit.InvalidArgumentError('part', 'wrong', options),
    new latentkit.DeviceLostError('gpu', 'gone'),
    new latentkit.OfflineError('owner/name', 'main', 'localFilesOnly is on', ['a.json', 'b.json'], options),
    new latentkit.ChecksumMismatchError('a.bin', '1', '2'),
    new RangeError('too far'),
    new DOMException('stopped', 'AbortError'),
  ]
  it.each(errors.map((error) => [error.name, error] as const))(
    'keep their class and what they tell: %s',
    (_, error) => {
      const other = sentOver(error) as Error
      expect(other).not.toBe(error)
      expect(other).toBeInstanceOf(error.constructor)
      expect({ ...other, name: other.name, message: other.message }).toEqual({
        ...error,
        name: error.name,
        message: error.message,
      })
      expect(other.cause).toEqual(error.cause)
      if (!(error instanceof DOMException)) expect(other.stack).toBe(error.stack)
    },
  )

  it('keep the causes of their causes', () => {
    const { cause } = sentOver(errors[0]) as Error
    expect(cause).toBeInstanceOf(TypeError)
    expect(cause).toMatchObject({ message: 'fetch failed', cause: { message: 'no', code: 'ENOENT' } })
  })

  it('of unknown classes have the nearest class that is known', () => {
    class OwnError extends LatentkitError {
      readonly callback = () => undefined
    }
    const other = sentOver(new OwnError('ERR_OWN', 'own', 'mine')) as LatentkitError
    expect(Object.getPrototypeOf(other)).toBe(LatentkitError.prototype)
    expect([other.code, other.name]).toEqual(['ERR_OWN', 'OwnError'])
    expect(sentOver('thrown text')).toBe('thrown text')
  })
})

describe('values', () => {
  it('come through at any depth', () => {
    const image = new RawImage(new Uint8Array([1, 2, 3]), 1, 1, 3, { parameters: 'a star' })
    const value = { list: [image, { url: new URL('https://example.org/a?b') }], text: 'x', seed: 2n ** 60n, none: null }
    expect(sentOver(value)).toEqual(value)
    const numbers = new Tensor('int64', BigInt64Array.of(1n, -2n), [2])
    const half = new Tensor('float16', Uint16Array.of(0x3c00), [1, 1])
    const texts = new Tensor('string', ['a', 'b'], [2])
    for (const tensor of [numbers, half, texts]) {
      const { type, dims, data } = sentOver(tensor) as Tensor
      expect({ type, dims, data }).toEqual({ type: tensor.type, dims: tensor.dims, data: tensor.data })
    }
    const generator = new Generator(3)
    generator.randn([5])
    const other = sentOver(generator) as Generator
    expect(other.randn([20]).data).toEqual(generator.randn([20]).data)
  })
})
