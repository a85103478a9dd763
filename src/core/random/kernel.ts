import type { BoxMuller32 } from './box-muller'
import { kernelBytes } from './kernel-bytes'

/** Words in the state of MT19937. */
const STATE_SIZE = 624

/** The inner loops in WebAssembly SIMD, which give every bit that their TypeScript gives. */
export interface Kernel {
  /** Advances the state of a Mersenne Twister and writes the numbers that they stand for. */
  twist(state: Uint32Array, numbers: Uint32Array): void
  readonly boxMuller: BoxMuller32
}

/** What `kernel.as.ts` exports; addresses are bytes of `memory`, a page of 64 KiB. */
interface Exports {
  readonly memory: WebAssembly.Memory
  twist(state: number, numbers: number): void
  boxMuller(numbers: number, count: number): void
}

/** Numbers of one Box-Muller call: what is in work stays in the fastest cache. */
const CHUNK = 2048

let loaded: { readonly kernel?: Kernel } | undefined

/** The kernel, made at the first call; `undefined` where WebAssembly or its SIMD is missing or not allowed. */
export function loadKernel(): Kernel | undefined {
  loaded ??= { kernel: instantiate() }
  return loaded.kernel
}

function instantiate(): Kernel | undefined {
  let instance: WebAssembly.Instance
  try {
    const bytes = Uint8Array.from(atob(kernelBytes), (character) => character.charCodeAt(0))
    instance = new WebAssembly.Instance(new WebAssembly.Module(bytes))
  } catch {
    // No SIMD, or a content security policy without 'wasm-unsafe-eval'.
    return undefined
  }
  const { memory, twist, boxMuller } = instance.exports as Exports & WebAssembly.Exports
  const { buffer } = memory
  const words = new Uint32Array(buffer, 0, CHUNK)
  const before = new Uint32Array(buffer, words.byteLength, STATE_SIZE)
  const after = new Uint32Array(buffer, before.byteOffset + before.byteLength, STATE_SIZE)
  const drawn = new Uint32Array(buffer, after.byteOffset + after.byteLength, STATE_SIZE)
  return {
    twist(state, numbers) {
      before.set(state)
      twist(before.byteOffset, drawn.byteOffset)
      state.set(after)
      numbers.set(drawn)
    },
    boxMuller: {
      words,
      normals: new Float32Array(buffer, words.byteOffset, CHUNK),
      transform: (count) => boxMuller(words.byteOffset, count),
    },
  }
}
