import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

/** Builds the package, where bundlers find it as an installed one, and the page that the tests drive. */
export default async function setup(): Promise<() => void> {
  // Runs at the same time have a folder each; the processes of the tests take over the variable.
  process.env.LATENTKIT_WEB_TESTS = `web-tests-${process.pid}`
  const { cache, chromiumPath, packageFolder, pageFolder } = await import('./places')
  chromiumPath()
  mkdirSync(packageFolder, { recursive: true })
  cpSync('package.json', join(packageFolder, 'package.json'))
  const rolldown = resolve('node_modules/rolldown/bin/cli.mjs')
  const env = { ...process.env, LATENTKIT_OUT: join(packageFolder, 'dist') }
  execFileSync(process.execPath, [rolldown, '-c', 'rolldown.config.ts'], { env })

  await build({
    entryPoints: { page: 'test/web/page/main.ts' },
    outdir: pageFolder,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    alias: { '#huggingface-hub': join(packageFolder, 'dist/huggingface-hub.js') },
  })
  writeFileSync(
    join(pageFolder, 'index.html'),
    '<!doctype html><title>latentkit</title><link rel="icon" href="data:,">',
  )
  return () => rmSync(cache, { recursive: true, force: true })
}
