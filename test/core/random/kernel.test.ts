import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { compileKernel, kernelBytesFile } from '../../../scripts/compile-kernel'
import { Generator } from '../../../src/core/generator'
import { type BoxMuller32, scalarBoxMuller } from '../../../src/core/random/box-muller'
import { loadKernel } from '../../../src/core/random/kernel'
import { kernelBytes } from '../../../src/core/random/kernel-bytes'
import { MersenneTwister } from '../../../src/core/random/mt19937'
import { sizeOf } from '../../../src/core/tensor'
import { fixture } from '../../goldens'

interface Goldens {
  readonly randn: readonly {
    readonly seed: number
    readonly shape: readonly number[]
    readonly value?: readonly number[]
    /** The first of a draw too long to keep whole. */
    readonly head?: readonly number[]
  }[]
}
const goldens: Goldens = JSON.parse(readFileSync(fixture('goldens/torch_rng.json'), 'utf8'))

function loadedBoxMuller(): BoxMuller32 {
  const kernel = loadKernel()
  if (!kernel) throw new Error('this runtime has no WebAssembly SIMD')
  return kernel.boxMuller
}

describe('the kernel', () => {
  it('is what its source compiles to', async () => {
    expect(readFileSync(kernelBytesFile, 'utf8')).toBe(await compileKernel())
  })

  it('is small enough to compile where a page waits: Chrome allowed 4 kB there for long', () => {
    expect(atob(kernelBytes).length).toBeLessThan(4096)
  })
})

describe('Box-Muller of the kernel is that of TypeScript in every bit', () => {
  const PAIRS = 512

  /** How many of 2^25 normal numbers differ, when the pairs are made of the engine's numbers from 0 to 2^24 − 1. */
  function differences(radiusWord: (number: number) => number, angleWord: (number: number) => number): number {
    const [scalar, vector] = [scalarBoxMuller, loadedBoxMuller()]
    let different = 0
    for (let start = 0; start < 2 ** 24; start += PAIRS) {
      for (let i = 0; i < PAIRS; i++) {
        const j = (i >> 3) * 16 + (i & 7)
        scalar.words[j] = radiusWord(start + i)
        scalar.words[j + 8] = angleWord(start + i)
      }
      vector.words.set(scalar.words)
      scalar.transform(2 * PAIRS)
      vector.transform(2 * PAIRS)
      // The words are now the bits of the normal numbers.
      for (let j = 0; j < 2 * PAIRS; j++) if (scalar.words[j] !== vector.words[j]) different++
    }
    return different
  }

  it('for every radius', () => {
    expect(
      differences(
        (number) => number,
        () => 0,
      ),
    ).toBe(0)
  })

  it('for every angle', () => {
    // A radius of a power of two takes no bit from the sines and cosines.
    const radiusTwo = 14506667
    scalarBoxMuller.words.fill(0, 0, 16)
    scalarBoxMuller.words[0] = radiusTwo
    scalarBoxMuller.transform(16)
    expect(scalarBoxMuller.normals[0]).toBe(2)
    expect(
      differences(
        () => radiusTwo,
        (number) => number,
      ),
    ).toBe(0)
  })
})

/** The modules as they load where this is the global WebAssembly. */
async function modulesWith(webAssembly: unknown) {
  vi.resetModules()
  vi.stubGlobal('WebAssembly', webAssembly)
  const { loadKernel } = await import('../../../src/core/random/kernel')
  const kernel = loadKernel()
  vi.unstubAllGlobals()
  const { Generator } = await import('../../../src/core/generator')
  const { MersenneTwister } = await import('../../../src/core/random/mt19937')
  return { kernel, Generator, MersenneTwister }
}

it('the kernel is missed where a policy forbids WebAssembly', async () => {
  class Module {
    constructor() {
      throw new EvalError("violates the Content Security policy directive because 'wasm-unsafe-eval' is not allowed")
    }
  }
  expect((await modulesWith({ Module })).kernel).toBeUndefined()
})

describe('where there is no WebAssembly', () => {
  let scalar: Awaited<ReturnType<typeof modulesWith>>
  beforeAll(async () => {
    scalar = await modulesWith(undefined)
    expect(scalar.kernel).toBeUndefined()
  })

  it('the Mersenne Twister gives the same numbers and is in the same state', () => {
    const expected = new scalar.MersenneTwister(5489)
    const got = new MersenneTwister(5489)
    for (const count of [1, 623, 1000, 3, 5000, 3372]) {
      const [expectedWords, gotWords] = [new Uint32Array(count), new Uint32Array(count)]
      expected.fill(expectedWords)
      got.fill(gotWords)
      expect(gotWords).toEqual(expectedWords)
      expect(got.getState()).toEqual(expected.getState())
    }
    // The 10,000th number of the default seed, as the C++ standard gives it for std::mt19937.
    expect([got.uint32(), expected.uint32()]).toEqual([4123659995, 4123659995])
  })

  it.each(goldens.randn.filter(({ shape }) => sizeOf(shape) >= 16))(
    'randn of seed $seed $shape is the same',
    (golden) => {
      const got = new scalar.Generator(golden.seed).randn(golden.shape).data
      const expected = Float32Array.from(golden.value ?? golden.head ?? [])
      // float32 arithmetic alone: every bit is PyTorch's.
      expect((got as Float32Array).subarray(0, expected.length)).toEqual(expected)
      expect(got).toEqual(new Generator(golden.seed).randn(golden.shape).data)
    },
  )

  it.each([15, 16, 17, 31, 32, 1023, 1024, 1025, 2047, 2048, 2049, 4111])(
    'draws of %i numbers are the same, and what follows them',
    (length) => {
      const [expected, got] = [new scalar.Generator(length), new Generator(length)]
      for (const dtype of ['float32', 'float64', 'float32'] as const) {
        expect(got.randn([length], { dtype }).data).toEqual(expected.randn([length], { dtype }).data)
        expect(got.getState()).toEqual(expected.getState())
      }
    },
  )
})
