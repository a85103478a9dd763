import type { Tensor } from 'onnxruntime-common'
import type { FileSource } from '../core/file'

/**
 * Where a network runs: `cpu`, `cuda`, `webgpu`, `dml` and `coreml` in Node and Deno, `webgpu` and `wasm` in the
 * browser.
 */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'dml' | 'coreml' | 'wasm'

/** The element type that a network computes in. */
export type ComputeType = 'fp32' | 'fp16'

/** An ONNX model, and the files that its external initializers point into. */
export interface GraphSource {
  /** What errors call it, such as `unet`. */
  readonly name: string
  /** The serialised ONNX `ModelProto`. */
  readonly model: Uint8Array
  /** External data by the `location` that the model names. The bytes are neither copied nor converted. */
  readonly externalData: ReadonlyMap<string, FileSource>
}

/** How a session is created. */
export interface SessionOptions {
  readonly device: Device
  /** ONNX Runtime's graph optimisation; `extended` fuses without re-laying the weights. */
  readonly graphOptimization?: 'disabled' | 'basic' | 'extended' | 'all'
  /** Threads for one operator; absent: the runtime's choice. */
  readonly threads?: number
  readonly signal?: AbortSignal
}

/** One input or output of a session. */
export interface ValueInfo {
  readonly name: string
  readonly type: Tensor.Type
  /** A number for each dimension, or the name of one that is free. */
  readonly shape: readonly (number | string)[]
}

/** A network that is ready to run. */
export interface Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Runs once. Every input must be fed; all outputs come back, or those named in `fetches`. */
  run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>>
  /** Releases the weights and the device memory. A second call does nothing. */
  dispose(): Promise<void>
}

/** A runtime for ONNX graphs. Implementations live in `platform/` and pass the contract suite in `test/contracts`. */
export interface Backend {
  /** What errors call it, such as `onnxruntime-node`. */
  readonly name: string
  /** The devices that it can try on this machine, best first: `device: 'auto'` takes the first. */
  devices(): Promise<readonly Device[]>
  /** The element type that `dtype: 'auto'` means on the device. */
  preferredType(device: Device): Promise<ComputeType>
  /** Makes a network ready; rejects with a {@link RuntimeError} that says what is missing and how to install it. */
  createSession(source: GraphSource, options: SessionOptions): Promise<Session>
}
