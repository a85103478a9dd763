// Reads Vitest's JSON report and ends with the line "N passed, N failed". Exits with 1 when anything failed or nothing ran.
import { readFileSync } from 'node:fs'

/** Vitest writes no report when it dies: that counts as nothing passed and one failed. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    console.log('Vitest left no report.')
    return { success: false, testResults: [] }
  }
}

const { success, testResults } = readReport(process.argv[2])
const tests = testResults.flatMap((file) => file.assertionResults)
const count = (status) => tests.filter((test) => test.status === status).length

// A file that does not load has no tests that could fail.
const broken = testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
)
for (const file of broken) console.log(`${file.name} did not run: ${file.message}`)

const passed = count('passed')
let failed = count('failed') + broken.length
const skipped = tests.length - passed - count('failed')
if (skipped > 0) console.log(`${skipped} skipped`)
if (!success && failed === 0) failed = 1

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
