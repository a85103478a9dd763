import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

/** The layers: a file imports from its own or from one of lower rank, never sideways or up. */
const RANKS: Readonly<Record<string, number>> = {
  core: 0,
  formats: 1,
  schedulers: 1,
  tokenizers: 1,
  runtime: 1,
  hub: 1,
  graph: 2,
  checkpoints: 2,
  image: 2,
  layers: 3,
  models: 4,
  pipelines: 5,
  'platform/node': 6,
  'platform/web': 6,
  'index.ts': 7,
  'node.ts': 8,
  'web.ts': 8,
  'worker.ts': 8,
  'worker-thread.ts': 9,
  'worker-web.ts': 8,
  'worker-web-thread.ts': 9,
  cli: 9,
}

/** Those that may know which platform they run on. */
const isPlatform = (layer: string) => layer === 'cli' || layer.startsWith('platform/')

const PLATFORM_MODULES = new Set([...builtinModules, 'onnxruntime-node', 'onnxruntime-web', 'sharp'])
const isPlatformModule = (name: string) => name.startsWith('node:') || PLATFORM_MODULES.has(name)

/** Globals that only some platforms have. What Node, Deno and browsers share (fetch, Blob, TextDecoder …) is not here. */
const PLATFORM_GLOBALS = new Set(
  `window document navigator self location localStorage sessionStorage indexedDB caches OffscreenCanvas HTMLCanvasElement
  HTMLImageElement ImageBitmap createImageBitmap Worker SharedWorker importScripts requestAnimationFrame XMLHttpRequest
  GPUDevice GPUAdapter process Buffer NodeJS require module exports __dirname __filename setImmediate global Deno Bun`.split(
    /\s+/,
  ),
)

/** The layer of a file of src, such as `platform/node` for `platform/node/files.ts`. */
function layerOf(file: string): string {
  const parts = file.split('/')
  return parts[0] === 'platform' ? parts.slice(0, 2).join('/') : parts[0]
}

/** Names that the file declares itself: a parameter called `self` is no browser's `self`. */
function declaredNames(source: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  const visit = (node: ts.Node) => {
    const { name } = node as ts.NamedDeclaration
    const declares = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node)
    if ((declares || ts.isFunctionDeclaration(node) || ts.isImportSpecifier(node)) && name && ts.isIdentifier(name)) {
      names.add(name.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names
}

/** Platform globals that the file uses, by name or through `globalThis`. */
function platformGlobals(source: ts.SourceFile): string[] {
  const declared = declaredNames(source)
  const found = new Set<string>()
  const visit = (node: ts.Node) => {
    if (ts.isIdentifier(node) && PLATFORM_GLOBALS.has(node.text)) {
      const { parent } = node
      const ofGlobalThis = ts.isPropertyAccessExpression(parent) && parent.expression.getText(source) === 'globalThis'
      const isMember = ts.isPropertyAccessExpression(parent) && parent.name === node
      const isKey =
        (ts.isPropertyAssignment(parent) || ts.isClassElement(parent) || ts.isTypeElement(parent)) &&
        parent.name === node
      const isRenamed =
        ts.isImportSpecifier(parent) ||
        ts.isExportSpecifier(parent) ||
        (ts.isBindingElement(parent) && parent.propertyName === node)
      if (ofGlobalThis || !(isMember || isKey || isRenamed || declared.has(node.text))) found.add(node.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return [...found]
}

/** What in this file of src breaks the rules, one sentence each. */
function violations(file: string, text: string): string[] {
  const layer = layerOf(file)
  const rank = RANKS[layer]
  if (rank === undefined) return [`${file} belongs to no layer: the table knows ${Object.keys(RANKS).join(', ')}`]
  const found: string[] = []
  for (const { fileName: specifier } of ts.preProcessFile(text, true, true).importedFiles) {
    const imports = `${file} imports ${specifier}`
    if (!specifier.startsWith('.')) {
      if (isPlatformModule(specifier) && !isPlatform(layer)) found.push(`${imports}: only platform/ and cli/ may`)
      continue
    }
    const target = posix.join(posix.dirname(file), specifier)
    const targetLayer = layerOf(Object.hasOwn(RANKS, `${target}.ts`) ? `${target}.ts` : target)
    const targetRank = RANKS[targetLayer]
    if (/\.[cm]?[jt]s$/.test(specifier)) found.push(`${imports}: relative imports have no extension`)
    else if (targetRank === undefined) found.push(`${imports}: that belongs to no layer`)
    else if (targetLayer !== layer && targetRank >= rank) {
      found.push(`${imports}: ${layer} (rank ${rank}) must not know ${targetLayer} (rank ${targetRank})`)
    } else if (layer === 'index.ts' && isPlatform(targetLayer)) {
      found.push(`${imports}: the neutral surface must not know a platform`)
    }
  }
  if (!isPlatform(layer)) {
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
    for (const name of platformGlobals(source)) {
      found.push(`${file} uses the global ${name}: only platform/ and cli/ may`)
    }
  }
  return found
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'))

describe('the import rule', () => {
  it('has files to look at', () => expect(files.length).toBeGreaterThan(10))

  it.each(files)('holds for src/%s', (file) => {
    expect(violations(file, readFileSync(`src/${file}`, 'utf8'))).toEqual([])
  })

  const broken: [file: string, text: string, message: string][] = [
    ['core/a.ts', "import { b } from '../formats/b'", 'core (rank 0) must not know formats (rank 1)'],
    ['formats/a.ts', "import type { B } from '../hub/b'", 'formats (rank 1) must not know hub (rank 1)'],
    ['models/a.ts', "export * from '../pipelines/b'", 'models (rank 4) must not know pipelines (rank 5)'],
    ['core/deep/a.ts', "const b = await import('../../layers/b')", 'core (rank 0) must not know layers (rank 3)'],
    ['core/a.ts', "type B = import('../layers/b').B", 'core (rank 0) must not know layers (rank 3)'],
    ['platform/web/a.ts', "import '../node/b'", 'platform/web (rank 6) must not know platform/node (rank 6)'],
    ['pipelines/a.ts', "import '../index'", 'pipelines (rank 5) must not know index.ts (rank 7)'],
    ['index.ts', "export * from './node'", 'index.ts (rank 7) must not know node.ts (rank 8)'],
    ['index.ts', "export * from './platform/node/files'", 'the neutral surface must not know a platform'],
    ['core/a.ts', "import { b } from '../../test/b'", 'that belongs to no layer'],
    ['core/a.ts', "import { b } from './b.js'", 'relative imports have no extension'],
    ['utils/a.ts', '', 'utils/a.ts belongs to no layer'],
    ['hub/a.ts', "import { readFile } from 'node:fs/promises'", 'hub/a.ts imports node:fs/promises: only platform/'],
    ['hub/a.ts', "import { readFile } from 'fs'", 'hub/a.ts imports fs: only platform/'],
    ['runtime/a.ts', "const ort = await import('onnxruntime-node')", 'runtime/a.ts imports onnxruntime-node'],
    ['runtime/a.ts', "const ort = require('onnxruntime-web')", 'runtime/a.ts imports onnxruntime-web'],
    ['image/a.ts', 'const canvas = new OffscreenCanvas(1, 1)', 'uses the global OffscreenCanvas'],
    ['hub/a.ts', 'const home = globalThis.process?.env.HOME', 'uses the global process'],
    ['core/a.ts', 'const bytes: Buffer = get()', 'uses the global Buffer'],
  ]
  it.each(broken)('catches a violation in %s: %s', (file, text, message) => {
    expect(violations(file, text).join('\n')).toContain(message)
  })

  const sound: [file: string, text: string][] = [
    [
      'formats/a.ts',
      "import { b } from '../core/b'; import { c } from './c'; import { Tensor } from 'onnxruntime-common'",
    ],
    ['core/random/a.ts', "import { b } from '../b'"],
    [
      'platform/node/a.ts',
      "import { b } from 'node:fs'; import { c } from '../../core/c'; process.exit(Buffer.length)",
    ],
    ['node.ts', "export * from './index'; import './platform/node/preset'"],
    ['cli/main.ts', "import { b } from '../node'; import 'node:process'"],
    ['core/a.ts', '// import "node:fs" and process\nconst text = "from \'../cli/b\'"'],
    ['core/a.ts', 'function f(self: X) { return self.process({ module: 1, window: 2 }).document }'],
  ]
  it.each(sound)('lets %s pass: %s', (file, text) => expect(violations(file, text)).toEqual([]))
})
