import { readFileSync } from 'node:fs'
import asc from 'assemblyscript/asc'

const folder = new URL('../src/core/random/', import.meta.url)
const SOURCE = 'kernel.as.ts'
/** Where the text goes that {@link compileKernel} gives. */
export const kernelBytesFile = new URL('kernel-bytes.ts', folder)

/** Compiles `src/core/random/kernel.as.ts` to the text of the TypeScript file that holds its bytes. */
export async function compileKernel(): Promise<string> {
  let wasm = new Uint8Array()
  const options = ['-O3', '--noAssert', '--enable', 'simd', '--runtime', 'stub']
  const memory = ['--initialMemory', '1', '--maximumMemory', '1']
  const { error, stderr } = await asc.main([SOURCE, '--outFile', 'kernel.wasm', ...options, ...memory], {
    readFile: (name) => (name === SOURCE ? readFileSync(new URL(SOURCE, folder), 'utf8') : null),
    writeFile: (_, contents) => {
      if (typeof contents !== 'string') wasm = Uint8Array.from(contents)
    },
  })
  if (error) throw new Error(stderr.toString(), { cause: error })
  return `/** \`${SOURCE}\` as WebAssembly, in base64: made by \`npm run build:kernel\`. */
export const kernelBytes =
  '${Buffer.from(wasm).toString('base64')}'
`
}
