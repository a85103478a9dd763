import type { FileSource } from './file'

/** The element type of a stored weight, in the spelling of safetensors. */
export type WeightType = 'F32' | 'F16' | 'BF16' | 'F64' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL'

/** One tensor of a checkpoint as it lies in its file: named, never copied. */
export interface WeightRef {
  readonly name: string
  readonly type: WeightType
  readonly shape: readonly number[]
  readonly file: FileSource
  /** Position of the first byte in `file`. */
  readonly offset: number
  /** Length in bytes. */
  readonly length: number
}
