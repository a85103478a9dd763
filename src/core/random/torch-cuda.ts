import { UnsupportedError } from '../errors'
import { philox4x32 } from './philox'
import type { Draws, RandomSource } from './source'

const { fround } = Math
const TWO_PI_STEP = fround(2 ** -32 * fround(2 * Math.PI))

/**
 * PyTorch's CUDA generator: Philox4x32-10 keyed with the 64-bit seed. Element i of a draw is made of words 0 and 1 at
 * the counter (draw, 0, i, 0): one GPU thread an element. PyTorch lays a draw out so as long as the card can hold a
 * thread for each element (from 43,008 on an RTX 3060 to 221,184 on an A100; beyond that the layout depends on the
 * card). Other tools that imitate the card's noise use this layout for every size.
 */
export class TorchCudaSource implements RandomSource {
  private readonly keyLow: number
  private readonly keyHigh: number
  private draw = 0

  constructor(private readonly seed: bigint) {
    this.keyLow = Number(seed & 0xffffffffn)
    this.keyHigh = Number(seed >> 32n)
  }

  fillNormal(out: Draws): void {
    this.fill(out, (x, y) => {
      // cuRAND's Box-Muller in float32: of the pair, PyTorch's element takes the sine.
      const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(openUniform(x))))))
      const theta = fround(fround(y) * TWO_PI_STEP + TWO_PI_STEP / 2)
      return radius * fround(Math.sin(theta))
    })
  }

  fillUniform(out: Draws): void {
    this.fill(out, (x) => {
      const value = openUniform(x)
      return value === 1 ? 0 : value
    })
  }

  clone(): TorchCudaSource {
    const copy = new TorchCudaSource(this.seed)
    copy.draw = this.draw
    return copy
  }

  getState(): Float64Array<ArrayBuffer> {
    return Float64Array.of(this.draw)
  }

  setState([draw]: Float64Array): void {
    this.draw = draw
  }

  private fill(out: Draws, transform: (x: number, y: number) => number): void {
    if (out instanceof Float64Array) {
      throw new UnsupportedError('Generator', "got dtype 'float64' for the algorithm 'torch-cuda', expected 'float32'")
    }
    if (out.length === 0) return
    const counter = new Uint32Array(4)
    for (let i = 0; i < out.length; i++) {
      counter[0] = this.draw
      counter[1] = 0
      counter[2] = i
      counter[3] = 0
      philox4x32(counter, this.keyLow, this.keyHigh)
      out[i] = transform(counter[0], counter[1])
    }
    this.draw++
  }
}

/** 32 random bits → (0, 1] in float32, cuRAND's way. */
function openUniform(bits: number): number {
  return fround(fround(bits) * 2 ** -32 + 2 ** -33)
}
