// Reads Vitest's JSON reports and ends with the line "N passed, N failed". Exits with 1 when anything failed or nothing ran.
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

const reports = process.argv.slice(2).map(readReport)
const testResults = reports.flatMap((report) => report.testResults)
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
// A run that failed as a whole, or in which nothing ran, counts as one failure if it shows none.
for (const { success, testResults } of reports) {
  const shows = testResults.some((file) => file.status === 'failed')
  const ran = testResults.some((file) => file.assertionResults.some((test) => test.status === 'passed'))
  if (!shows && !(success && ran)) failed++
}

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
