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
