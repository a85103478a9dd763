import { statSync } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { FormatError, InvalidArgumentError, NotFoundError } from '../../core/errors'
import { expectRange, type FileSource, type Repository } from '../../core/file'

/** One call to the operating system reads less than 2 GiB. */
const MAX_READ = 2 ** 30

/**
 * A file of the operating system, read at the offsets asked for. No handle stays open between reads. Its `path` has
 * symbolic links resolved, so that it names the file itself (in a Hugging Face cache: the blob).
 *
 * @param path - Absolute, or relative to the working directory.
 * @param name - What errors call it; absent: `path`.
 * @throws NotFoundError when there is no such file, or it cannot be opened.
 */
export async function openFile(path: string, name = path): Promise<FileSource> {
  let real: string
  let size: number
  try {
    real = await realpath(path)
    const info = await stat(real)
    if (!info.isFile()) throw new Error('it is not a file')
    size = info.size
  } catch (cause) {
    throw new NotFoundError('file', `${name} cannot be opened: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
  const source: FileSource = {
    name,
    size,
    path: real,
    async read(offset, length) {
      expectRange(source, offset, length)
      const bytes = new Uint8Array(length)
      const handle = await open(real)
      try {
        let done = 0
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, MAX_READ), offset + done)
          if (bytesRead === 0) {
            throw new FormatError('file', `${name} became shorter: got ${offset + done} bytes, expected ${size}`)
          }
          done += bytesRead
        }
      } finally {
        await handle.close()
      }
      return bytes
    },
  }
  return source
}

/**
 * A folder of the operating system as a {@link Repository}. Symbolic links are followed, also out of the folder, as a
 * Hugging Face cache needs it; paths that leave the folder are refused.
 *
 * @param folder - Absolute, or relative to the working directory.
 * @throws NotFoundError when there is no such folder.
 */
export function localRepository(folder: string): Repository {
  const root = resolve(folder)
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw new NotFoundError('file', `there is no folder ${root}`)
  }
  return {
    name: folder,
    async open(path) {
      // No part may be empty, which also refuses an absolute path, nor name a drive or a parent in any system's way.
      if (path.split('/').some((part) => part === '' || part === '.' || part === '..' || /[\\:\0]/.test(part))) {
        throw new InvalidArgumentError(
          'file',
          `not a path inside ${folder}: got ${JSON.stringify(path)}, expected a relative path with / between its parts`,
        )
      }
      const file = join(root, path)
      const info = await stat(file).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
        throw new NotFoundError('file', `${path} in ${folder} cannot be opened: ${error.message}`, { cause: error })
      })
      return info?.isFile() ? openFile(file, join(folder, path)) : undefined
    },
  }
}
