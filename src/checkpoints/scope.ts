import { CheckpointError } from '../core/errors'
import type { WeightRef } from '../core/weights'
import type { Checkpoint } from './checkpoint'

/**
 * A cursor over a checkpoint's tensor names. Layers descend with {@link Scope.at} and take tensors by the shape that they
 * need, so that the construction code is the checkpoint's schema.
 */
export class Scope {
  /**
   * @param checkpoint - The weights.
   * @param path - The names' common prefix, without a trailing dot.
   */
  constructor(
    private readonly checkpoint: Checkpoint,
    readonly path = '',
  ) {}

  /** The scope below: `scope.at('down_blocks.0').at('resnets.1')`. */
  at(path: string | number): Scope {
    return new Scope(this.checkpoint, this.join(`${path}`))
  }

  /** Whether the checkpoint has that tensor, or any tensor below that path. */
  has(path: string): boolean {
    const name = this.join(path)
    if (this.checkpoint.weights.has(name)) return true
    for (const key of this.checkpoint.weights.keys()) if (key.startsWith(`${name}.`)) return true
    return false
  }

  /**
   * The tensor `name` below this path.
   *
   * @param shape - The shape that the network needs.
   * @param alternative - Another shape with the same number of elements that some checkpoints store it in, such as
   *   `[out, in, 1, 1]` of a 1×1 convolution for `[out, in]`; the bytes are the same, so the result has `shape`.
   * @throws CheckpointError when it is missing or has another shape.
   */
  tensor(name: string, shape: readonly number[], alternative?: readonly number[]): WeightRef {
    const path = this.join(name)
    const weight = this.checkpoint.take(path)
    const dims = (values: readonly number[]) => `[${values.join(', ')}]`
    if (!weight) {
      throw new CheckpointError(
        'checkpoint',
        `a tensor is missing: expected ${path} ${dims(shape)} in ${this.checkpoint.name}`,
      )
    }
    const is = (other: readonly number[]) =>
      other.length === weight.shape.length && other.every((dim, i) => dim === weight.shape[i])
    if (is(shape)) return weight
    if (alternative && is(alternative)) return { ...weight, shape }
    throw new CheckpointError(
      'checkpoint',
      `${path} has the wrong shape: got ${dims(weight.shape)}, expected ${dims(shape)}, in ${weight.file.name}`,
    )
  }

  private join(path: string): string {
    return this.path ? `${this.path}.${path}` : path
  }
}
