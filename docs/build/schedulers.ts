import { writeFileSync } from 'node:fs'
import { schedulerPages } from './scheduler-pages'

/* Writes the pages of `docs/schedulers` that follow from the code. */

const folder = new URL('../schedulers/', import.meta.url)
for (const [file, text] of schedulerPages()) writeFileSync(new URL(file, folder), text)
