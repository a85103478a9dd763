import type { Tensor } from 'onnxruntime-common'

/** The last outputs of a run, newest first: what a multistep solver looks back on. */
export class History {
  private readonly outputs: Tensor[] = []

  /** @param size - How many outputs the solver uses at most. */
  constructor(private readonly size: number) {}

  /** How many outputs there are, at most the size. */
  get length(): number {
    return this.outputs.length
  }

  /** Takes in the newest output and forgets the one that is too old. */
  push(output: Tensor): void {
    this.outputs.unshift(output)
    this.outputs.length = Math.min(this.outputs.length, this.size)
  }

  /** The output of `age` steps ago; 0 is the newest. */
  at(age: number): Tensor {
    return this.outputs[age]
  }

  /** The `count` newest outputs, newest first. */
  newest(count: number): readonly Tensor[] {
    return this.outputs.slice(0, count)
  }

  /** Forgets everything: a new run begins. */
  clear(): void {
    this.outputs.length = 0
  }
}

/**
 * The order of a multistep step: it rises with the outputs there are, and falls at the end, where high orders are
 * unstable.
 *
 * @param available - The highest order that the outputs so far allow.
 * @param stepsLeft - Steps to go, this one included.
 * @param lowersAtEnd - Whether the last step is of first order and the one before of second at most.
 * @param eulerAtEnd - Whether the last step is of first order in any case.
 */
export function multistepOrder(
  available: number,
  stepsLeft: number,
  lowersAtEnd: boolean,
  eulerAtEnd = lowersAtEnd,
): number {
  if (stepsLeft === 1 && (lowersAtEnd || eulerAtEnd)) return 1
  return stepsLeft === 2 && lowersAtEnd ? Math.min(available, 2) : available
}
