import { loadKernel } from './kernel'

const SIZE = 624
const SHIFT = 397

/**
 * MT19937, the 32-bit Mersenne Twister (Matsumoto and Nishimura, 1998): the engine of PyTorch's CPU generator and of
 * NumPy's RandomState.
 */
export class MersenneTwister {
  private readonly state = new Uint32Array(SIZE)
  /** The numbers that the state stands for. */
  private readonly numbers = new Uint32Array(SIZE)
  private next = SIZE

  /** @param seed - An integer from 0 to 2³² − 1. */
  constructor(seed: number) {
    const { state } = this
    state[0] = seed
    for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i
  }

  /** The next number, an integer from 0 to 2³² − 1. */
  uint32(): number {
    if (this.next === SIZE) this.twist()
    return this.numbers[this.next++]
  }

  /** Fills `out` with the next numbers. */
  fill(out: Uint32Array): void {
    for (let filled = 0; filled < out.length; ) {
      if (this.next === SIZE) this.twist()
      const some = this.numbers.subarray(this.next, this.next + out.length - filled)
      out.set(some, filled)
      filled += some.length
      this.next += some.length
    }
  }

  /** An engine in the same state. */
  clone(): MersenneTwister {
    const copy = new MersenneTwister(0)
    copy.state.set(this.state)
    copy.numbers.set(this.numbers)
    copy.next = this.next
    return copy
  }

  /** The words of the state, then how many of them are used up. */
  getState(): number[] {
    return [...this.state, this.next]
  }

  /** Goes on from the state at the beginning of these numbers, and returns the numbers after it. */
  setState(numbers: Float64Array): Float64Array {
    this.state.set(numbers.subarray(0, SIZE))
    this.temper()
    this.next = numbers[SIZE]
    return numbers.subarray(SIZE + 1)
  }

  private twist(): void {
    const kernel = loadKernel()
    if (kernel) kernel.twist(this.state, this.numbers)
    else this.twistByWords()
    this.next = 0
  }

  private twistByWords(): void {
    const { state } = this
    // Each word takes from those after it, around the end.
    for (let i = 0; i < SIZE - SHIFT; i++) state[i] = state[i + SHIFT] ^ mixed(state[i], state[i + 1])
    for (let i = SIZE - SHIFT; i < SIZE - 1; i++) state[i] = state[i + SHIFT - SIZE] ^ mixed(state[i], state[i + 1])
    state[SIZE - 1] = state[SHIFT - 1] ^ mixed(state[SIZE - 1], state[0])
    this.temper()
  }

  private temper(): void {
    const { state, numbers } = this
    for (let i = 0; i < SIZE; i++) {
      let y = state[i]
      y ^= y >>> 11
      y ^= (y << 7) & 0x9d2c5680
      y ^= (y << 15) & 0xefc60000
      numbers[i] = y ^ (y >>> 18)
    }
  }
}

/** The recurrence's matrix, applied to the top bit of one word and the rest of the next. */
function mixed(word: number, next: number): number {
  const y = (word & 0x80000000) | (next & 0x7fffffff)
  return (y >>> 1) ^ (-(y & 1) & 0x9908b0df)
}
