/** Buffers on the GPU that nobody has destroyed, and their bytes. */
export interface GpuMemory {
  buffers: number
  bytes: number
}

/** Counts the GPU's buffers from now on. */
export function watchGpuMemory(): GpuMemory {
  const memory = { buffers: 0, bytes: 0 }
  if (!('GPUDevice' in globalThis)) return memory
  const sizes = new WeakMap<GPUBuffer, number>()
  const { createBuffer } = GPUDevice.prototype
  const { destroy } = GPUBuffer.prototype
  const forget = (buffer: GPUBuffer) => {
    const size = sizes.get(buffer)
    if (size === undefined) return
    sizes.delete(buffer)
    memory.buffers--
    memory.bytes -= size
  }
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor)
    sizes.set(buffer, descriptor.size)
    memory.buffers++
    memory.bytes += descriptor.size
    return buffer
  }
  GPUBuffer.prototype.destroy = function () {
    forget(this)
    return destroy.call(this)
  }
  return memory
}

/** The memories that WebAssembly modules have made from now on. */
export function watchWasmMemory(): { readonly bytes: number } {
  const memories: WebAssembly.Memory[] = []
  const Memory = WebAssembly.Memory
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor)
      memories.push(this)
    }
  }
  return {
    get bytes() {
      return memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0)
    },
  }
}
