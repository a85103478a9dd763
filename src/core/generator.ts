import { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from './errors'
import { NumpySource } from './random/numpy'
import type { Draws, RandomSource } from './random/source'
import { TorchCpuSource } from './random/torch-cpu'
import { TorchCudaSource } from './random/torch-cuda'
import { concatBatch, sizeOf } from './tensor'

const SOURCES = {
  'torch-cpu': TorchCpuSource,
  'torch-cuda': TorchCudaSource,
  numpy: NumpySource,
} as const

/**
 * What a {@link Generator} reproduces: PyTorch's CPU generator, PyTorch's CUDA generator, or NumPy's `RandomState`.
 */
export type RandomAlgorithm = keyof typeof SOURCES

/** Options of a {@link Generator}. */
export interface GeneratorOptions {
  /** Default `torch-cpu`, what diffusers' documentation recommends and what its tests use. */
  readonly algorithm?: RandomAlgorithm
}

/** Options of one draw. */
export interface DrawOptions {
  /** The precision of computing and of the tensor; default `float32`. In PyTorch each has numbers of its own. */
  readonly dtype?: 'float32' | 'float64'
}

/**
 * A seeded source of random tensors that gives the numbers Python gives; corresponds to `torch.Generator`. Every draw
 * advances its state, so the order of draws matters.
 *
 * `torch-cpu` uses the low 32 bits of the seed, as PyTorch does. `torch-cuda` follows the layout of draws that fit the
 * card in one pass and draws float32 only. `numpy` takes seeds up to 2³² − 1 and computes in float64.
 */
export class Generator {
  /** The seed it was made with, given or drawn. */
  readonly seed: bigint
  /** What it reproduces. */
  readonly algorithm: RandomAlgorithm
  private source: RandomSource

  /**
   * @param seed - An integer from 0 to 2⁶⁴ − 1 (above 2⁵³ − 1 as a bigint); absent: a random one below 2³².
   * @param options - The algorithm.
   * @throws InvalidArgumentError if the seed is out of range or the algorithm unknown.
   */
  constructor(seed?: number | bigint, options: GeneratorOptions = {}) {
    const { algorithm = 'torch-cpu' } = options
    if (!Object.hasOwn(SOURCES, algorithm)) {
      const known = Object.keys(SOURCES).join(', ')
      throw new InvalidArgumentError('Generator', `unknown algorithm: got ${algorithm}, expected one of ${known}`)
    }
    this.algorithm = algorithm
    this.seed = seed === undefined ? randomSeed() : checkSeed(seed, algorithm === 'numpy' ? 32 : 64)
    this.source = new SOURCES[algorithm](this.seed)
  }

  /**
   * Numbers of the standard normal distribution, as `torch.randn`.
   *
   * @param dims - The shape of the result: integers, 0 or more.
   * @throws InvalidArgumentError if `dims` is not a shape; UnsupportedError for `float64` with `torch-cuda`.
   */
  randn(dims: readonly number[], options: DrawOptions = {}): Tensor {
    return drawTensor(dims, options, (out) => this.source.fillNormal(out))
  }

  /**
   * Numbers evenly distributed in [0, 1), as `torch.rand`.
   *
   * @param dims - The shape of the result: integers, 0 or more.
   * @throws InvalidArgumentError if `dims` is not a shape; UnsupportedError for `float64` with `torch-cuda`.
   */
  rand(dims: readonly number[], options: DrawOptions = {}): Tensor {
    return drawTensor(dims, options, (out) => this.source.fillUniform(out))
  }

  /** A generator in the same state: both go on to draw the same numbers, independently. */
  clone(): Generator {
    const copy = new Generator(this.seed, { algorithm: this.algorithm })
    copy.source = this.source.clone()
    return copy
  }

  /**
   * All that decides about the next draws, as `torch.Generator.get_state`: a generator of the same seed and algorithm
   * goes on from it, also in another thread or after it was stored.
   */
  getState(): Float64Array<ArrayBuffer> {
    return this.source.getState()
  }

  /**
   * Goes on from a state.
   *
   * @param state - What `getState` of a generator with this seed and algorithm gave.
   * @throws InvalidArgumentError if it has another length.
   */
  setState(state: Float64Array): void {
    const { length } = this.source.getState()
    if (state.length !== length) {
      throw new InvalidArgumentError(
        'Generator',
        `not a state of ${this.algorithm}: got ${state.length} numbers, expected ${length}`,
      )
    }
    this.source.setState(state)
  }
}

/**
 * Normal noise of shape `dims` (`[batch, …]`), as diffusers' `randn_tensor`: one draw from one generator, or from a
 * list of generators one draw of `[1, …]` each, so that every item can be made again alone.
 *
 * @throws InvalidArgumentError if a list does not hold one generator for each item of the batch.
 */
export function randnTensor(dims: readonly number[], generator: Generator | readonly Generator[]): Tensor {
  if ('randn' in generator) return generator.randn(dims)
  const [batch, ...itemDims] = dims
  if (generator.length !== batch) {
    throw new InvalidArgumentError(
      'Generator',
      `wrong number of generators: got ${generator.length}, expected ${batch}, one for each item of the batch`,
    )
  }
  return concatBatch(generator.map((each) => each.randn([1, ...itemDims])))
}

function drawTensor(dims: readonly number[], options: DrawOptions, fill: (out: Draws) => void): Tensor {
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw new InvalidArgumentError('Generator', `not a shape: got [${dims.join(', ')}], expected integers of 0 or more`)
  }
  const { dtype = 'float32' } = options
  if (dtype === 'float64') {
    const data = new Float64Array(sizeOf(dims))
    fill(data)
    return new Tensor('float64', data, dims)
  }
  const data = new Float32Array(sizeOf(dims))
  fill(data)
  return new Tensor('float32', data, dims)
}

/** 32 bits: every algorithm uses all of them, and people can read and retype the number. */
function randomSeed(): bigint {
  return BigInt(globalThis.crypto.getRandomValues(new Uint32Array(1))[0])
}

function checkSeed(seed: number | bigint, bits: number): bigint {
  const exact = typeof seed === 'bigint' || Number.isSafeInteger(seed)
  if (!exact || seed < 0 || seed >= 2n ** BigInt(bits)) {
    throw new InvalidArgumentError(
      'Generator',
      `seed out of range: got ${seed}, expected an integer from 0 to 2^${bits} - 1 (above 2^53 - 1 as a bigint)`,
    )
  }
  return BigInt(seed)
}
