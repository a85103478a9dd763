import type { Command } from 'commander'
import { diskCache } from '../node'
import { perform } from './perform'
import { megabytes } from './progress'

interface CacheOptions {
  readonly cacheDir?: string
  readonly json?: boolean
  readonly debug?: boolean
}

/** Adds the commands that look after the cache. */
export function addCache(program: Command): void {
  const cache = program.command('cache').description('look after the files that were fetched from the Hub')
  const add = (name: string, description: string) =>
    cache
      .command(name)
      .description(description)
      .option('--cache-dir <folder>', "the cache's folder (default: that of Python's huggingface_hub)")
      .option('--json', 'print the result as JSON')
      .option('--debug', 'print where an error happened')

  add('ls', 'list what is cached').action((options: CacheOptions) => perform(options, () => list(options)))
  add('rm', 'remove a repository, or one commit of it')
    .argument('<repository>', 'such as stable-diffusion-v1-5/stable-diffusion-v1-5')
    .option('--commit <hash>', 'only this commit, with the bytes that no other uses')
    .action((id: string, options: CacheOptions & { readonly commit?: string }) =>
      perform(options, () => remove(id, options)),
    )
  add('verify', 'compare the bytes of all files, or of one repository, with their hashes')
    .argument('[repository]', 'such as stable-diffusion-v1-5/stable-diffusion-v1-5')
    .option('--remove-damaged', 'delete what is damaged, so that the next load fetches it again')
    .action((id: string | undefined, options: CacheOptions & { readonly removeDamaged?: boolean }) =>
      perform(options, (signal) => verify(id, options, signal)),
    )
}

async function list({ cacheDir, json }: CacheOptions): Promise<void> {
  const cache = diskCache(cacheDir)
  const repositories = await cache.list()
  if (json) return console.log(JSON.stringify({ folder: cache.name, repositories }))
  for (const { repository, size, revisions, incomplete } of repositories) {
    const broken = incomplete > 0 ? `, ${megabytes(incomplete)} of it not complete` : ''
    console.log(`${repository}  ${megabytes(size)}${broken}`)
    for (const { commit, refs, files } of revisions) {
      const names = refs.length > 0 ? ` (${refs.join(', ')})` : ''
      console.log(`  ${commit.slice(0, 7)}${names}  ${files.length} files`)
    }
  }
  const total = repositories.reduce((sum, { size }) => sum + size, 0)
  console.log(`${repositories.length} repositories, ${megabytes(total)}, in ${cache.name}`)
}

async function remove(id: string, { cacheDir, json, commit }: CacheOptions & { commit?: string }): Promise<void> {
  const freed = await diskCache(cacheDir).remove(id, commit)
  console.log(json ? JSON.stringify({ repository: id, commit, freed }) : `${id}: freed ${megabytes(freed)}`)
}

async function verify(
  id: string | undefined,
  { cacheDir, json, removeDamaged }: CacheOptions & { removeDamaged?: boolean },
  signal: AbortSignal,
): Promise<void> {
  const counts = { ok: 0, damaged: 0, missing: 0, unknown: 0 }
  const wrong: object[] = []
  for await (const { repository, status, paths, hash } of diskCache(cacheDir).verify(id, { removeDamaged, signal })) {
    counts[status]++
    if (status !== 'damaged' && status !== 'missing') continue
    wrong.push({ repository, status, paths, hash })
    if (!json) console.log(`${status}: ${repository} ${paths.join(', ') || hash}${removeDamaged ? ' (removed)' : ''}`)
  }
  if (json) console.log(JSON.stringify({ ...counts, files: wrong }))
  else console.log(`${counts.ok} files are as they should be, ${wrong.length} are not, ${counts.unknown} have no hash`)
  if (wrong.length > 0 && !removeDamaged) process.exitCode = 1
}
