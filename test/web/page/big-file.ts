import { Tensor } from 'onnxruntime-common'
import type { FileSource } from '../../../src/core/file'
import { formsFor } from '../../../src/graph/forms'
import { Graph } from '../../../src/graph/graph'
import { OnnxRuntimeWebBackend } from '../../../src/platform/web/onnxruntime'
import type { Device } from '../../../src/web'

const WIDTH = 1024
const LENGTH = WIDTH * WIDTH * 4

/** A file of zeros that is not there, but for `count` identity matrices times `factor` from `start` on. */
function hugeFile(size: number, start: number, factor: number) {
  const reads = { largest: 0, total: 0 }
  const file: FileSource = {
    name: 'huge.safetensors',
    size,
    async read(offset, length) {
      reads.largest = Math.max(reads.largest, length)
      reads.total += length
      const numbers = new Float32Array(length / 4)
      const first = (offset - start) / 4
      for (let row = Math.ceil((first % (WIDTH * WIDTH)) / (WIDTH + 1)); ; row++) {
        const index = row * (WIDTH + 1) - (first % (WIDTH * WIDTH))
        if (index >= numbers.length || row >= WIDTH) break
        numbers[index] = factor
      }
      return new Uint8Array(numbers.buffer)
    },
  }
  return { file, reads }
}

/**
 * Multiplies with `layers` matrices that lie far behind in a huge file: what comes out, which should be the same as goes in
 * times 2 to the `layers`, and how the file was read.
 */
export async function multiplyFromHugeFile(device: Device, layers: number) {
  const start = 5 * 2 ** 30
  const { file, reads } = hugeFile(6 * 2 ** 30, start, 2)
  const graph = new Graph('huge', 'fp32', formsFor(device))
  let value = graph.input('x', [1, WIDTH])
  for (let i = 0; i < layers; i++) {
    const offset = start + i * LENGTH
    const weight = { name: `weight.${i}`, type: 'F32', shape: [WIDTH, WIDTH], file, offset, length: LENGTH } as const
    value = graph.forms.linear(value, graph.weight(weight))
  }
  graph.output('y', value, [1, WIDTH])
  const session = await new OnnxRuntimeWebBackend().createSession(graph.finish(), { device })
  const x = Float32Array.from({ length: WIDTH }, (_, i) => i)
  const { y } = await session.run({ x: new Tensor('float32', x, [1, WIDTH]) })
  await session.dispose()
  return { isRight: x.every((number, i) => y.data[i] === number * 2 ** layers), ...reads }
}
