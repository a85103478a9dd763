import { writeFileSync } from 'node:fs'
import { compileKernel, kernelBytesFile } from './compile-kernel'

/* Writes the file that follows from `src/core/random/kernel.as.ts`. */

writeFileSync(kernelBytesFile, await compileKernel())
