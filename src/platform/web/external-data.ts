import type { FileSource } from '../../core/file'
import { splitExternalData } from '../../formats/onnx-external'
import type { GraphSource } from '../../runtime/backend'

/** A model and the bytes of its weights, as onnxruntime-web takes them. */
export interface Mountable {
  readonly model: Uint8Array
  readonly externalData: { path: string; data: Uint8Array | Blob }[]
}

/** How much is read at a time. */
const CHUNK = 8 * 2 ** 20

/**
 * Hands the weights over as one file a tensor, so that only what the model needs is read and no file is too long to
 * address. When the runtime can wait (`streams`), it reads each tensor at the moment that it takes it: the JavaScript heap
 * then holds a chunk at a time, and weights for the GPU pass through WebAssembly's heap without staying there. Otherwise
 * all of them are read here, and let go when the session exists.
 *
 * @param onFailure - Is told why a read failed: the runtime does not pass the reason on.
 */
export async function mountExternalData(
  { name, model, externalData }: GraphSource,
  streams: boolean,
  onFailure: (error: unknown) => void,
  signal?: AbortSignal,
): Promise<Mountable> {
  const split = splitExternalData(model, name)
  const mounted: { path: string; data: Uint8Array | Blob }[] = []
  for (const [path, { location, offset, length }] of split.files) {
    const file = externalData.get(location)
    // The runtime names the file that it misses.
    if (!file) continue
    const end = length === undefined ? file.size : offset + length
    signal?.throwIfAborted()
    const data = streams ? new FileRange(file, offset, end, onFailure, signal) : await file.read(offset, end - offset)
    mounted.push({ path, data })
  }
  return { model: split.model, externalData: mounted }
}

/** A part of a file as a `Blob` whose bytes are read when its stream is. */
class FileRange extends Blob {
  constructor(
    private readonly file: FileSource,
    private readonly start: number,
    private readonly end: number,
    private readonly onFailure: (error: unknown) => void,
    private readonly signal?: AbortSignal,
  ) {
    super()
  }

  override get size(): number {
    return this.end - this.start
  }

  override slice(start = 0, end = this.size): Blob {
    const { file, onFailure, signal } = this
    return new FileRange(file, this.start + start, Math.min(this.start + end, this.end), onFailure, signal)
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const { file, end, signal, onFailure } = this
    let position = this.start
    return new ReadableStream({
      async pull(controller) {
        try {
          signal?.throwIfAborted()
          const length = Math.min(end - position, CHUNK)
          const bytes = await file.read(position, length)
          position += length
          controller.enqueue(new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength))
          if (position >= end) controller.close()
        } catch (error) {
          onFailure(error)
          controller.error(error)
        }
      },
    })
  }
}
