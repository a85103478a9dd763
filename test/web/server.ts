import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** The headers that make a page cross-origin isolated: WebAssembly's threads need it. */
const isolation = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}

/** A web server on localhost. */
export interface TestServer {
  /** Address without a slash at its end. */
  readonly origin: string
  /** The requests so far: path and the `Range` header. */
  readonly requests: { readonly path: string; readonly range?: string }[]
  close(): Promise<void>
}

/**
 * Serves folders.
 *
 * @param folders - Local folders by the path that they have on the server, such as `/models/`.
 * @param options - `isolated`: send the headers of a cross-origin isolated page. `ranges`: understand `Range`.
 */
export async function serve(
  folders: Readonly<Record<string, string>>,
  { isolated = true, ranges = true }: { readonly isolated?: boolean; readonly ranges?: boolean } = {},
): Promise<TestServer> {
  const requests: { path: string; range?: string }[] = []
  const mounts = Object.keys(folders).sort((a, b) => b.length - a.length)

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)
    const { range } = request.headers
    requests.push({ path, range })
    const mount = mounts.find((each) => path.startsWith(each))
    const file = mount === undefined ? undefined : join(folders[mount], path.slice(mount.length))
    const size = file === undefined ? undefined : await sizeOf(file)
    const headers = isolated ? isolation : {}
    if (file === undefined || size === undefined) {
      response.writeHead(404, headers).end()
      return
    }
    const [, first, last] = (ranges && /^bytes=(\d+)-(\d*)$/.exec(range ?? '')) || []
    const start = first === undefined ? 0 : Number(first)
    if (first !== undefined && start >= size) {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${size}` }).end()
      return
    }
    const end = Math.min(last ? Number(last) : size - 1, size - 1)
    response.writeHead(first === undefined ? 200 : 206, {
      ...headers,
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-length': end - start + 1,
      ...(first !== undefined && { 'content-range': `bytes ${start}-${end}/${size}` }),
    })
    if (size === 0) response.end()
    else createReadStream(file, { start, end }).pipe(response)
  }

  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Length of a file, `undefined` when it is none. */
async function sizeOf(file: string): Promise<number | undefined> {
  const info = await stat(file).catch(() => undefined)
  return info?.isFile() ? info.size : undefined
}
