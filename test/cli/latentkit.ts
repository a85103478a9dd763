import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach } from 'vitest'

const tsx = pathToFileURL(resolve('node_modules/tsx/dist/loader.mjs')).href
const main = resolve('src/cli/main.ts')

/** What a finished command left behind. */
export interface Finished {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** An empty folder, which goes away after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'latentkit-cli-'))
  folders.push(folder)
  return folder
}

/** Starts the command line of the sources in a folder. */
export function start(
  cwd: string,
  args: readonly string[],
): { readonly child: ChildProcess; readonly finished: Promise<Finished> } {
  const child = spawn(process.execPath, ['--import', tsx, main, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = new Promise<Finished>((done, fail) => {
    child.on('error', fail).on('close', (status) => done({ status, stdout, stderr }))
  })
  return { child, finished }
}

/** Runs the command line of the sources in a folder. */
export function latentkit(cwd: string, ...args: readonly string[]): Promise<Finished> {
  return start(cwd, args).finished
}
