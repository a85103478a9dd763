import { readFileSync } from 'node:fs'
import type { Tensor } from 'onnxruntime-common'
import { describe, expect, it } from 'vitest'
import { InvalidArgumentError, UnsupportedError } from '../../src/core/errors'
import { Generator, randnTensor } from '../../src/core/generator'
import { philox4x32 } from '../../src/core/random/philox'

interface Draw {
  readonly seed: number
  readonly shape: readonly number[]
  readonly value: readonly number[]
}
/** A draw too long to keep whole. */
interface LongDraw extends Omit<Draw, 'value'> {
  readonly head: readonly number[]
  readonly tail: readonly number[]
  readonly mean: number
  readonly std: number
}
interface Goldens {
  readonly randn: readonly (Draw | LongDraw)[]
  readonly rand: readonly Draw[]
  readonly sequence: readonly { seed: number; draws: readonly (Omit<Draw, 'seed'> & { op: 'randn' | 'rand' })[] }[]
  readonly randn_float64: Draw
  readonly numpy_randomstate_standard_normal: readonly Omit<Draw, 'shape'>[]
}
const goldens: Goldens = JSON.parse(
  readFileSync(new URL('../fixtures/goldens/torch_rng.json', import.meta.url), 'utf8'),
)

/**
 * From 16 elements on the draw is float32 arithmetic alone and must agree in every bit. Below, it is float64 with the
 * C library's logarithm and sine, rounded to float32 at the end: 2 ulp leave room for another library.
 */
function expectSameDraw(got: Float32Array, expected: readonly number[], ulps = got.length < 16 ? 2 : 0) {
  expect(got.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    const ulp = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(expected[i]))), -126) - 23)
    const distance = Math.abs(got[i] - expected[i]) / ulp
    if (!(distance <= ulps)) throw new Error(`element ${i}: got ${got[i]}, expected ${expected[i]}: ${distance} ulp`)
  }
}

function expectNear(got: ArrayLike<number>, expected: readonly number[], tolerance: number) {
  for (let i = 0; i < expected.length; i++) expect(Math.abs(got[i] - expected[i])).toBeLessThan(tolerance)
}

function values(tensor: Tensor): Float32Array {
  if (!(tensor.data instanceof Float32Array)) throw new Error(`got a tensor of ${tensor.type}`)
  return tensor.data
}

describe('torch-cpu', () => {
  it.each(goldens.randn.map((golden) => [`seed ${golden.seed} [${golden.shape}]`, golden] as const))(
    'randn %s',
    (_, golden) => {
      const tensor = new Generator(golden.seed).randn(golden.shape)
      expect(tensor.dims).toEqual(golden.shape)
      const got = values(tensor)
      if ('value' in golden) {
        expectSameDraw(got, golden.value)
      } else {
        expectSameDraw(got.subarray(0, golden.head.length), golden.head)
        expectSameDraw(got.subarray(-golden.tail.length), golden.tail)
        const mean = got.reduce((sum, x) => sum + x, 0) / got.length
        const std = Math.sqrt(got.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (got.length - 1))
        // PyTorch reduced these in float32 over 16,384 numbers.
        expect(Math.abs(mean - golden.mean)).toBeLessThan(1e-7)
        expect(Math.abs(std - golden.std)).toBeLessThan(1e-6)
      }
    },
  )

  it.each(goldens.rand.map((golden) => [golden.seed, golden] as const))('rand seed %i', (seed, golden) => {
    expect([...values(new Generator(seed).rand(golden.shape))]).toEqual(golden.value)
  })

  it.each(goldens.sequence.map((golden) => [golden.seed, golden] as const))('a sequence seed %i', (seed, golden) => {
    const generator = new Generator(seed)
    for (const { op, shape, value } of golden.draws) expectSameDraw(values(generator[op](shape)), value)
  })

  it('draws float64 with numbers of its own', () => {
    const { seed, shape, value } = goldens.randn_float64
    const tensor = new Generator(seed).randn(shape, { dtype: 'float64' })
    expect(tensor.type).toBe('float64')
    const got = tensor.data as Float64Array
    // float64 against the C library's: a few units in the last place of 2^-52.
    expectNear(got, value, 4e-15)
  })

  it('uses the low 32 bits of the seed', () => {
    const low = new Generator(5).randn([20]).data
    expect(new Generator(2n ** 32n + 5n).randn([20]).data).toEqual(low)
    expect(new Generator(2n ** 64n - 2n ** 32n + 5n).randn([20]).data).toEqual(low)
  })

  it('keeps the spare number of a short draw past a long one', () => {
    const generator = new Generator(3)
    const alone = values(new Generator(3).randn([2]))
    expect(values(generator.randn([1]))[0]).toBe(alone[0])
    generator.randn([16])
    expect(values(generator.randn([1]))[0]).toBe(alone[1])
  })
})

describe('numpy', () => {
  it.each(goldens.numpy_randomstate_standard_normal.map((golden) => [golden.seed, golden] as const))(
    'standard_normal seed %i',
    (seed, { value }) => {
      const options = { algorithm: 'numpy' } as const
      const got = new Generator(seed, options).randn([value.length], { dtype: 'float64' }).data as Float64Array
      // float64 against the C library's logarithm.
      expectNear(got, value, 4e-15)
      expectNear(values(new Generator(seed, options).randn([value.length])), value, 2 ** -23)
    },
  )

  it('gives the numbers of random_sample', () => {
    // np.random.RandomState(0).random_sample(3), from NumPy's documentation of numpy.random.rand with that seed.
    const got = new Generator(0, { algorithm: 'numpy' }).rand([3], { dtype: 'float64' }).data
    expect([...(got as Float64Array)]).toEqual([0.5488135039273248, 0.7151893663724195, 0.6027633760716439])
  })

  it('takes seeds of 32 bits', () => {
    expect(() => new Generator(2 ** 32, { algorithm: 'numpy' })).toThrow(/got 4294967296, expected .* 2\^32 - 1/)
    expect(new Generator(2 ** 32 - 1, { algorithm: 'numpy' }).seed).toBe(2n ** 32n - 1n)
  })
})

describe('torch-cuda', () => {
  it.each([
    // The known answers that Random123 publishes for philox4x32 with 10 rounds: counter, key, output.
    ['00000000 00000000 00000000 00000000', '00000000 00000000', '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    ['ffffffff ffffffff ffffffff ffffffff', 'ffffffff ffffffff', '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    ['243f6a88 85a308d3 13198a2e 03707344', 'a4093822 299f31d0', 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('Philox of counter %s, key %s', (counterHex, keyHex, expectedHex) => {
    const words = (hex: string) => hex.split(' ').map((word) => Number.parseInt(word, 16))
    const counter = Uint32Array.from(words(counterHex))
    const [keyLow, keyHigh] = words(keyHex)
    philox4x32(counter, keyLow, keyHigh)
    expect([...counter]).toEqual(words(expectedHex))
  })

  it('gives the noise of a CUDA card', () => {
    // torch.randn((3, 4), device='cuda') with seed 0, as AUTOMATIC1111's rng_philox documents it. Cards compute the sine
    // approximately (to about 2^-21) and that tool computes in float64, hence 1e-6.
    const expected = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709, -1.07454231,
      -0.36314407, -1.67105067, 2.26550497,
    ]
    const got = values(new Generator(0, { algorithm: 'torch-cuda' }).randn([3, 4]))
    expectNear(got, expected, 1e-6)
  })

  it('gives new numbers with every draw, the same for a shorter draw', () => {
    const options = { algorithm: 'torch-cuda' } as const
    const long = new Generator(7, options)
    const short = new Generator(7, options)
    const [first, second] = [values(long.randn([100])), values(long.randn([100]))]
    expect(second[0]).not.toBe(first[0])
    // A card counts draws, not numbers: the second draw does not depend on how long the first one was.
    expect(values(short.randn([3]))).toEqual(first.subarray(0, 3))
    expect(values(short.randn([100]))).toEqual(second)
  })

  it('uses all 64 bits of the seed', () => {
    const draw = (seed: bigint) => values(new Generator(seed, { algorithm: 'torch-cuda' }).randn([4]))
    expect(draw(2n ** 32n + 5n)).not.toEqual(draw(5n))
    expect(draw(2n ** 64n - 1n)).not.toEqual(draw(2n ** 32n - 1n))
  })

  it('draws float32 alone', () => {
    const generator = new Generator(0, { algorithm: 'torch-cuda' })
    expect(() => generator.randn([4], { dtype: 'float64' })).toThrow(UnsupportedError)
  })
})

describe.each(['torch-cpu', 'torch-cuda', 'numpy'] as const)('every algorithm: %s', (algorithm) => {
  it('clones its state', () => {
    const generator = new Generator(11, { algorithm })
    generator.randn([3])
    const copy = generator.clone()
    expect([copy.seed, copy.algorithm]).toEqual([11n, algorithm])
    const next = [generator.randn([5]), generator.rand([40]), generator.randn([33])]
    expect([copy.randn([5]), copy.rand([40]), copy.randn([33])].map(values)).toEqual(next.map(values))
  })

  it('gives its state away, and goes on from it', () => {
    const generator = new Generator(11, { algorithm })
    generator.randn([3])
    const other = new Generator(11, { algorithm })
    other.setState(structuredClone(generator.getState()))
    const next = [generator.randn([5]), generator.rand([700]), generator.randn([33])]
    expect([other.randn([5]), other.rand([700]), other.randn([33])].map(values)).toEqual(next.map(values))
    expect(() => other.setState(new Float64Array(7))).toThrow(/not a state of .*: got 7 numbers, expected \d+/)
  })

  it('draws normal and uniform numbers', () => {
    const generator = new Generator(1, { algorithm })
    const normal = values(generator.randn([20000]))
    const mean = normal.reduce((sum, x) => sum + x, 0) / normal.length
    const variance = normal.reduce((sum, x) => sum + (x - mean) ** 2, 0) / normal.length
    expect(Math.abs(mean)).toBeLessThan(0.03)
    expect(Math.abs(variance - 1)).toBeLessThan(0.05)
    const uniform = values(generator.rand([20000]))
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...uniform)).toBeLessThan(1)
    expect(Math.abs(uniform.reduce((sum, x) => sum + x, 0) / uniform.length - 0.5)).toBeLessThan(0.02)
  })

  it('draws nothing for an empty shape, one number for a scalar', () => {
    const generator = new Generator(1, { algorithm })
    expect(generator.randn([0, 4]).dims).toEqual([0, 4])
    expect(generator.randn([]).size).toBe(1)
  })

  it('takes a random seed and shows it', () => {
    const generator = new Generator(undefined, { algorithm })
    expect(generator.seed).not.toBe(new Generator(undefined, { algorithm }).seed)
    expect(values(new Generator(generator.seed, { algorithm }).randn([8]))).toEqual(values(generator.randn([8])))
  })
})

describe('arguments', () => {
  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n, 2n ** 64n])('refuses the seed %s', (seed) => {
    expect(() => new Generator(seed)).toThrow(InvalidArgumentError)
    expect(() => new Generator(seed)).toThrow(`got ${seed}, expected an integer from 0 to 2^64 - 1`)
  })

  it.each([0, 2 ** 53 - 1, 0n, 2n ** 64n - 1n])('takes the seed %s', (seed) => {
    expect(new Generator(seed).seed).toBe(BigInt(seed))
  })

  it('refuses an unknown algorithm', () => {
    const algorithm = 'toString' as 'numpy'
    expect(() => new Generator(0, { algorithm })).toThrow(/got toString, expected one of torch-cpu, torch-cuda, numpy/)
  })

  it.each([[[-1]], [[2, 1.5]], [[Number.NaN]]])('refuses the shape %j', (dims) => {
    expect(() => new Generator(0).randn(dims)).toThrow(InvalidArgumentError)
  })
})

describe('randnTensor', () => {
  it('draws a batch from one generator', () => {
    expect(randnTensor([2, 3, 4], new Generator(1)).data).toEqual(new Generator(1).randn([2, 3, 4]).data)
  })

  it('draws each item from its own generator', () => {
    const tensor = randnTensor([2, 3, 4], [new Generator(1), new Generator(2)])
    expect(tensor.dims).toEqual([2, 3, 4])
    expect(values(tensor).subarray(0, 12)).toEqual(new Generator(1).randn([1, 3, 4]).data)
    expect(values(tensor).subarray(12)).toEqual(new Generator(2).randn([1, 3, 4]).data)
  })

  it.each([0, 1, 3])('refuses %i generators for a batch of 2', (count) => {
    const generators = Array.from({ length: count }, (_, seed) => new Generator(seed))
    expect(() => randnTensor([2, 3], generators)).toThrow(`got ${count}, expected 2`)
  })
})
