import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, describe, expect, it } from 'vitest'
import { schedulers } from '../src/node'

const readme = readFileSync('README.md', 'utf8')

/** The TypeScript of the README, one block after the other, as a reader would put it into one file. */
const code = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block).join('\n')

describe('the README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latentkit-readme-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('has code that type-checks', () => {
    const file = resolve('readme.ts')
    const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('.'))
    const host = ts.createCompilerHost(options)
    const { getSourceFile, fileExists } = host
    host.fileExists = (name) => name === file || fileExists(name)
    host.getSourceFile = (name, target) =>
      name === file ? ts.createSourceFile(name, code, target) : getSourceFile(name, target)
    const program = ts.createProgram([file], options, host)
    const problems = ts.getPreEmitDiagnostics(program, program.getSourceFile(file))
    expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  })

  it('has code that runs', async () => {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(resolve('.'), join(folder, 'node_modules/latentkit'), 'junction')
    writeFileSync(join(folder, 'readme.mts'), code)
    const tsx = pathToFileURL(resolve('node_modules/tsx/dist/loader.mjs')).href
    const env = { ...process.env, TSX_TSCONFIG_PATH: resolve('tsconfig.json') }
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', tsx, 'readme.mts'], {
      cwd: folder,
      env,
    })
    expect(stdout).toContain('step 10 of 20\n')
    expect(stdout).not.toContain('step 11 of 20')
    const [errorCode, message] = stdout.trim().split('\n').slice(-2)
    expect(readme).toContain(`console.log(error.code) // ${errorCode}\n`)
    expect(readme).toContain(`console.log(error.message) // ${message}\n`)
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['star.png', 'diamond.png', 'preview.png']))
  })

  it('names every scheduler, and links to files that exist', () => {
    for (const name of Object.keys(schedulers)) expect(readme).toContain(`\`${name}\``)
    const links = [...readme.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target)
    expect(links.length).toBeGreaterThan(5)
    for (const target of links) expect(existsSync(target), target).toBe(true)
  })
})
