import type { Repository } from '../../core/file'
import { checkPath } from '../../hub/names'
import { pageUrl } from './page'
import type { Store } from './storage'
import { openStoredFile, type StoredFileOptions } from './storage-folder-file'
import { withLock } from './storage-lock'
import { partsSize } from './storage-parts'

const FOLDERS = 'folders'

/**
 * A folder of model files on a web server, stored in the browser as its files are read. The server is asked whether a
 * stored file is still the one it has; when it cannot be reached, the stored one does.
 *
 * @param base - Address of the folder; relative to the page.
 */
export function storedFolder(store: Store, base: string | URL, options: StoredFileOptions = {}): Repository {
  const folder = folderUrl(base)
  const opened = new Map<string, ReturnType<typeof openStoredFile>>()
  return {
    name: folder.href,
    async open(path) {
      checkPath(path, folder.href)
      const place = `${placeOf(folder)}/${encodeURIComponent(path)}`
      const open = () => openStoredFile(store, place, folder, path, options)
      const opening = opened.get(path) ?? withLock(`${store.name} ${place}`, open, options.signal)
      opened.set(path, opening)
      opening.catch(() => opened.delete(path))
      return opening
    },
  }
}

/** Folders whose files are stored, with their size in bytes. */
export async function listFolders(
  store: Store,
): Promise<readonly { readonly address: string; readonly size: number }[]> {
  const files = new Set((await store.list(FOLDERS)).map((path) => path.split('/').slice(0, 2).join('/')))
  const sizes = new Map<string, number>()
  for (const file of files) {
    const address = decodeURIComponent(file.split('/')[0])
    sizes.set(address, (sizes.get(address) ?? 0) + (await partsSize(store, `${FOLDERS}/${file}`)))
  }
  return [...sizes].map(([address, size]) => ({ address, size }))
}

/** Removes what is stored of a folder. */
export async function removeFolder(store: Store, base: string | URL): Promise<void> {
  await store.remove(placeOf(folderUrl(base)))
}

function folderUrl(base: string | URL): URL {
  const folder = new URL(pageUrl(base))
  if (!folder.pathname.endsWith('/')) folder.pathname += '/'
  return folder
}

function placeOf(folder: URL): string {
  return `${FOLDERS}/${encodeURIComponent(folder.href)}`
}
