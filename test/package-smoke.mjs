// Packs what npm would publish, unpacks it as an installed package, and uses it: imported, required, as a command, and
// as a browser's bundler would see it. Runs after the build, as a part of `npm run check`.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

// Below the project's own node_modules, so that the package finds its dependencies there.
const base = resolve('node_modules/.cache/package-smoke')
const installed = join(base, 'node_modules', 'latentkit')
rmSync(base, { recursive: true, force: true })
mkdirSync(installed, { recursive: true })

const run = (command, args, options) => execFileSync(command, args, { cwd: base, encoding: 'utf8', ...options })
const npm = (args) => run('npm', args, { cwd: resolve('.'), shell: process.platform === 'win32' })
const node = (...args) => run(process.execPath, args)

const [packed] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', base]))
const files = packed.files.map((file) => file.path)
for (const needed of [
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'package.json',
  'dist/index.js',
  'dist/index.cjs',
  'dist/index.d.ts',
  'dist/index.d.cts',
  'dist/node.js',
  'dist/node.cjs',
  'dist/node.d.ts',
  'dist/node.d.cts',
  'dist/web.js',
  'dist/web.cjs',
  'dist/web.d.ts',
  'dist/web.d.cts',
  'dist/worker.js',
  'dist/worker.cjs',
  'dist/worker.d.ts',
  'dist/worker.d.cts',
  'dist/worker-thread.js',
  'dist/worker-web.js',
  'dist/worker-web.d.ts',
  'dist/worker-web-thread.js',
  'dist/standalone/latentkit.js',
  'dist/cli/main.js',
  'models/tiny-shapes/model_index.json',
  'models/tiny-shapes/README.md',
  'models/tiny-shapes/unet/diffusion_pytorch_model.safetensors',
]) {
  assert(files.includes(needed), `the package lacks ${needed}`)
}
for (const file of files) assert(!/^(src|test|bench|examples|docs)\//.test(file), `the package must not hold ${file}`)
run('tar', ['-xzf', join(base, packed.filename), '--strip-components=1', '-C', installed])

const names = (text) => text.trim().split(',')
const show = "console.log(Object.keys(latentkit).filter((name) => name !== 'default').sort().join())"
const imported = names(node('--input-type=module', '-e', `import * as latentkit from 'latentkit'; ${show}`))
const required = names(node('-e', `const latentkit = require('latentkit'); ${show}`))
for (const name of ['StableDiffusionPipeline', 'Generator', 'Tensor', 'RawImage']) assert(imported.includes(name), name)
assert.deepEqual(required, imported, 'import and require give different names')

// A worker thread draws, and its pictures are of the class that the main entry exports.
const drawInWorker = `
  const pipe = await StableDiffusionPipeline.fromPretrained(${JSON.stringify(join(installed, 'models/tiny-shapes'))})
  const { images } = await pipe.run({ prompt: 'a red circle', numInferenceSteps: 1, generator: new Generator(1) })
  console.log(images[0] instanceof RawImage, images[0].width)
  await pipe.dispose()`
const importWorker = `
  import { StableDiffusionPipeline } from 'latentkit/worker'
  import { Generator, RawImage } from 'latentkit'
  ${drawInWorker}`
const requireWorker = `
  const { StableDiffusionPipeline } = require('latentkit/worker')
  const { Generator, RawImage } = require('latentkit')
  void (async () => {${drawInWorker}})()`
for (const drawn of [node('--input-type=module', '-e', importWorker), node('-e', requireWorker)]) {
  assert.match(drawn, /^true 128$/m)
}

// What a browser gets reaches no module that only Node has.
const seen = new Set()
const visit = (file) => {
  if (seen.has(file)) return
  seen.add(file)
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)) {
    if (specifier.startsWith('.')) visit(join(dirname(file), specifier))
    else assert(!/^(node:|onnxruntime-node$|sharp$)/.test(specifier), `${file} imports ${specifier}`)
  }
}
const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
visit(join(installed, manifest.exports['.'].browser.import.default))
visit(join(installed, manifest.exports['./worker'].default.default))
visit(join(installed, 'dist/worker-web-thread.js'))

const command = join(installed, manifest.bin.latentkit)
assert.match(readFileSync(command, 'utf8'), /^#!\/usr\/bin\/env node\n/)
assert.equal(node(command, '--version').trim(), manifest.version)
const picture = join(base, 'picture.png')
node(command, 'txt2img', 'a red circle on a blue background', '--steps', '2', '--seed', '1', '--output', picture)
assert(existsSync(picture), 'the command drew nothing')

rmSync(base, { recursive: true })
console.log(
  `${packed.filename}: ${files.length} files, ${(packed.size / 2 ** 20).toFixed(1)} MiB, works when installed`,
)
