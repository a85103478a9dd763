import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, relative } from 'node:path'
import { xetRoutes } from './xet-server'

/** What goes wrong with one answer. */
export type Fault =
  /** The connection ends after so many bytes of the body. `clean`: in a way that the protocol takes for the end. */
  | { readonly kind: 'cut'; readonly after: number; readonly clean?: boolean }
  /** One bit of the byte at this offset of the file is other. */
  | { readonly kind: 'flip'; readonly at: number }
  /** The body has so many bytes more (or fewer, if negative) than the file, and `Content-Length` says so. */
  | { readonly kind: 'length'; readonly delta: number }
  /** Nothing more comes after so many bytes of the body; without `after`, not even an answer. */
  | { readonly kind: 'hang'; readonly after?: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** The connection is closed without an answer. */
  | { readonly kind: 'reset' }
  /** `Range` is not heeded. */
  | { readonly kind: 'whole' }
  /** The body comes at so many bytes a second. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }

/** One request as the server saw it. */
export interface SeenRequest {
  readonly server: 'hub' | 'cdn'
  readonly url: string
  readonly range?: string
  readonly authorization?: string
  /** The file that it asked for; absent for the API. */
  readonly file?: string
  /** Bytes of the file that were sent. */
  sent: number
}

export interface ServedFile {
  readonly path: string
  readonly bytes: Uint8Array
  /** Their SHA-256, and git's SHA-1 of them. */
  readonly sha256: string
  readonly gitSha1: string
  /** In LFS: named by its SHA-256 and served by the other host. */
  readonly lfs: boolean
  /** In xet storage as well. */
  readonly xet: boolean
  /** What the listing says instead of the truth. */
  readonly listed?: { readonly path?: string; readonly oid?: string; readonly size?: number }
}

export interface RepositoryOptions {
  /** The token without which it is not shown. */
  readonly token?: string
  readonly gated?: boolean
  readonly xet?: boolean
  /** Names of branches and tags that point here; absent: `main`. */
  readonly refs?: readonly string[]
  /** What the listing says instead of the truth, by path. */
  readonly listed?: Readonly<Record<string, ServedFile['listed']>>
}

interface Commit extends RepositoryOptions {
  readonly hash: string
  readonly files: readonly ServedFile[]
}

/** Git's hash of a file. */
export function gitSha1(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The hash by which the Hub and the cache name a file. */
function hashOf(file: Pick<ServedFile, 'sha256' | 'gitSha1' | 'lfs'>): string {
  return file.lfs ? file.sha256 : file.gitSha1
}

/** All files below a folder, by path. */
export function readFolder(folder: string): Record<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort()
  return Object.fromEntries(paths.map((path) => [relative(folder, path).replaceAll('\\', '/'), readFileSync(path)]))
}

/** Speaks the protocol of the Hub on 127.0.0.1, with a second host for large files as the Hub has one; fails on demand. */
export class HubServer {
  readonly requests: SeenRequest[] = []
  /** Connections that were opened to either host. */
  connections = 0
  /** Files in one answer of the listing. */
  pageSize = 1000
  /** Decides what goes wrong with a request for a file: its path, and how many for it came before. */
  fault: (path: string, attempt: number, server: 'hub' | 'cdn') => Fault | undefined = () => undefined
  /** The same for a request to the API: its address. */
  apiFault: (url: string, attempt: number) => Fault | undefined = () => undefined
  readonly #repositories = new Map<string, Commit[]>()
  readonly #attempts = new Map<string, number>()
  /** Its address, which it keeps when it is stopped. */
  endpoint = ''
  /** The address of the other host. */
  cdn = ''
  readonly #hub: Server
  readonly #cdn: Server

  private constructor() {
    this.#hub = createServer((request, response) =>
      this.#guard(request, response, () => this.#answer(request, response)),
    )
    this.#cdn = createServer((request, response) =>
      this.#guard(request, response, () => this.#cdnAnswer(request, response)),
    )
    for (const server of [this.#hub, this.#cdn]) server.on('connection', () => this.connections++)
  }

  static async start(): Promise<HubServer> {
    const server = new HubServer()
    for (const one of [server.#hub, server.#cdn]) {
      await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))
    }
    server.endpoint = addressOf(server.#hub)
    server.cdn = addressOf(server.#cdn)
    return server
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  /** Adds a repository, or a commit to it that its branches now point to. Files of 10 kB and more are in LFS. */
  add(id: string, files: Readonly<Record<string, Uint8Array | string>>, options: RepositoryOptions = {}): string {
    const served = Object.entries(files).map(([path, content]): ServedFile => {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
      const lfs = bytes.length >= 10_000
      const xet = lfs && options.xet === true
      return { path, bytes, sha256: sha256(bytes), gitSha1: gitSha1(bytes), lfs, xet, listed: options.listed?.[path] }
    })
    const hash = createHash('sha1').update(id)
    for (const file of served) hash.update(`${file.path} ${hashOf(file)}\n`)
    const commit = { refs: ['main'], ...options, files: served, hash: hash.digest('hex') }
    this.#repositories.set(id, [commit, ...(this.#repositories.get(id) ?? [])])
    return commit.hash
  }

  /** Bytes of files that were sent, of one file or of all. */
  bytesSent(path?: string): number {
    return this.requests.reduce(
      (sum, request) => sum + (path === undefined || request.file === path ? request.sent : 0),
      0,
    )
  }

  /** The requests for the bytes of a file, in order. */
  bodies(path: string): SeenRequest[] {
    return this.requests.filter((request) => request.file === path && (request.sent > 0 || request.server === 'cdn'))
  }

  /** Forgets what it saw, and which attempts there were. */
  forget(): void {
    this.requests.length = 0
    this.connections = 0
    this.#attempts.clear()
  }

  /** Counts from 0 on. */
  attempt(key: string): number {
    const count = this.#attempts.get(key) ?? 0
    this.#attempts.set(key, count + 1)
    return count
  }

  #guard(request: IncomingMessage, response: ServerResponse, answer: () => Promise<void>): void {
    // As the Hub does: pages of any origin may ask, and read what it says.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-expose-headers', '*')
    answer().catch((error) => {
      if (!response.headersSent) response.writeHead(500).end(String(error))
      request.socket.destroy()
    })
  }

  #see(server: 'hub' | 'cdn', request: IncomingMessage, file?: string): SeenRequest {
    const { range, authorization } = request.headers
    const seen = { server, url: request.url ?? '', range, authorization, file, sent: 0 }
    this.requests.push(seen)
    return seen
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.endpoint)
    const [, api, apiId, kind, apiRevision] =
      /^\/(api\/models)\/([^/]+\/[^/]+|[^/]+)\/(revision|tree|xet-read-token)\/(.+)$/.exec(url.pathname) ?? []
    const [, id, revision, path] = /^\/([^/]+\/[^/]+|[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname) ?? []
    if (api !== undefined) {
      this.#see('hub', request)
      const fault = this.apiFault(request.url ?? '', this.attempt(request.url ?? ''))
      if (fault && (await this.#spoil(fault, request, response))) return
      const commit = this.#find(apiId, decodeURIComponent(apiRevision), request, response)
      if (commit) this.#api(kind, apiId, commit, url, response)
    } else if (path !== undefined) {
      const seen = this.#see('hub', request, decodeURIComponent(path))
      const commit = this.#find(id, decodeURIComponent(revision), request, response)
      if (commit) await this.#resolve(id, commit, seen, request, response)
    } else {
      this.#see('hub', request)
      response.writeHead(404, { 'x-error-code': 'RepoNotFound' }).end()
    }
  }

  /** The commit, or an answer that says why not. */
  #find(id: string, revision: string, request: IncomingMessage, response: ServerResponse): Commit | undefined {
    const commits = this.#repositories.get(id)
    const token = request.headers.authorization?.replace('Bearer ', '')
    const refuse = (status: number, code: string, message: string) => {
      const headers = { ...(code && { 'x-error-code': code }), 'x-error-message': message }
      response.writeHead(status, headers).end(JSON.stringify({ error: message }))
    }
    if (token === 'hf_wrong') return void refuse(401, '', 'Invalid credentials in Authorization header')
    const isHidden = commits?.[0].token !== undefined && !commits[0].gated && commits[0].token !== token
    if (commits === undefined || isHidden) {
      // As the Hub does it: who sends no token is not told whether a private repository exists.
      return void (token === undefined
        ? refuse(401, '', 'Invalid username or password.')
        : refuse(404, 'RepoNotFound', 'Repository not found'))
    }
    if (commits[0].gated && commits[0].token !== token) {
      return void refuse(token === undefined ? 401 : 403, 'GatedRepo', `Access to model ${id} is restricted.`)
    }
    const commit = commits.find(({ hash, refs }) => hash === revision || refs?.includes(revision))
    return commit ?? void refuse(404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
  }

  #api(kind: string, id: string, commit: Commit, url: URL, response: ServerResponse): void {
    const json = (value: unknown, headers = {}) => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
    }
    if (kind === 'revision') {
      json({ _id: '1', id, sha: commit.hash, private: false, gated: false, downloads: 1, likes: 1, lastModified: 0 })
    } else if (kind === 'tree') {
      const start = Number(url.searchParams.get('cursor') ?? 0)
      const folders = new Set(commit.files.map(({ path }) => path.slice(0, path.lastIndexOf('/'))).filter(Boolean))
      const entries = [
        ...[...folders].map((path) => ({ type: 'directory', path, oid: '0'.repeat(40), size: 0 })),
        ...commit.files.map(listEntry),
      ]
      url.searchParams.set('cursor', String(start + this.pageSize))
      const hasMore = start + this.pageSize < entries.length
      json(entries.slice(start, start + this.pageSize), hasMore ? { link: `<${url.href}>; rel="next"` } : {})
    } else {
      json({ accessToken: 'xet_token', casUrl: this.cdn, exp: Math.floor(Date.now() / 1000) + 3600 })
    }
  }

  async #resolve(
    id: string,
    commit: Commit,
    seen: SeenRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const headers: Record<string, string> = { 'x-repo-commit': commit.hash }
    const file = commit.files.find(({ path }) => path === seen.file)
    if (file === undefined) {
      response.writeHead(404, { ...headers, 'x-error-code': 'EntryNotFound' }).end()
      return
    }
    if (file.xet && request.headers.accept?.includes('application/vnd.xet-fileinfo+json')) {
      const hash = file.sha256
      const auth = `${this.endpoint}/api/models/${id}/xet-read-token/${commit.hash}`
      response.writeHead(200, {
        ...headers,
        'content-type': 'application/vnd.xet-fileinfo+json',
        'x-linked-etag': `"${hash}"`,
        'x-linked-size': String(file.bytes.length),
        'x-xet-hash': hash,
        link: `<${auth}>; rel="xet-auth", <${this.cdn}/v1/reconstructions/${hash}>; rel="xet-reconstruction-info"`,
      })
      response.end('{}')
      return
    }
    if (file.lfs) {
      const location = `${this.cdn}/blob/${file.sha256}?signature=1&path=${encodeURIComponent(file.path)}`
      headers['x-linked-etag'] = `"${hashOf(file)}"`
      headers['x-linked-size'] = String(file.bytes.length)
      response.writeHead(302, { ...headers, location }).end()
      return
    }
    await this.#serve('hub', file, { ...headers, etag: `"${hashOf(file)}"` }, seen, request, response)
  }

  async #cdnAnswer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.cdn)
    const all = [...this.#repositories.values()].flat().flatMap((commit) => commit.files)
    if (await xetRoutes(url, request, response, all, (file) => this.#see('cdn', request, file))) return
    const file = all.find((file) => url.pathname === `/blob/${file.sha256}`)
    const seen = this.#see('cdn', request, file && (url.searchParams.get('path') ?? file.path))
    if (file === undefined || request.headers.authorization !== undefined) {
      response.writeHead(file ? 400 : 404).end()
      return
    }
    await this.#serve('cdn', file, { etag: '"of-the-cdn-itself"' }, seen, request, response)
  }

  /** The bytes of a file, or of a range of it, or what a fault makes of them. */
  async #serve(
    server: 'hub' | 'cdn',
    file: ServedFile,
    extra: Record<string, string>,
    seen: SeenRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const path = seen.file ?? file.path
    const fault = this.fault(path, this.attempt(`${server} ${path}`), server)
    if (fault && (await this.#spoil(fault, request, response))) return
    const [, first] = (fault?.kind !== 'whole' && /^bytes=(\d+)-/.exec(request.headers.range ?? '')) || []
    const start = first === undefined ? 0 : Number(first)
    let body = file.bytes.subarray(start)
    if (fault?.kind === 'flip' && fault.at >= start) {
      body = Uint8Array.from(body)
      body[fault.at - start] ^= 1
    }
    if (fault?.kind === 'length') {
      body = Uint8Array.from({ length: body.length + fault.delta }, (_, i) => body[i] ?? 0)
    }
    const headers: Record<string, string> = {
      ...extra,
      'accept-ranges': 'bytes',
      'content-length': String(body.length),
    }
    if (first !== undefined) {
      headers['content-range'] = `bytes ${start}-${file.bytes.length - 1}/${file.bytes.length}`
    }
    const isCleanCut = fault?.kind === 'cut' && fault.clean
    if (isCleanCut) {
      delete headers['content-length']
      headers.connection = 'close'
      response.useChunkedEncodingByDefault = false
    }
    response.writeHead(first === undefined ? 200 : 206, headers)
    if (fault === undefined) {
      response.end(body)
      await once(response, 'close')
      seen.sent += response.writableFinished ? body.length : 0
      return
    }
    const end = fault?.kind === 'cut' || fault?.kind === 'hang' ? (fault.after ?? 0) : body.length
    const rate = fault?.kind === 'slow' ? fault.bytesPerSecond : undefined
    for (let offset = 0; offset < end && !response.destroyed; ) {
      const piece = body.subarray(offset, Math.min(end, offset + (rate === undefined ? 65_536 : rate / 20)))
      await new Promise<void>((resolve) => response.write(piece, () => resolve()))
      offset += piece.length
      seen.sent += piece.length
      if (rate !== undefined) await wait(50)
    }
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'cut') {
      // Time for the other side to take what was sent: it is the end that is to be broken, not the bytes before it.
      await wait(50)
      request.socket.end()
      return
    }
    response.end()
  }

  /** Faults that need no body; tells whether it answered. */
  async #spoil(fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (fault.kind === 'status') response.writeHead(fault.status, fault.headers).end('not today')
    else if (fault.kind === 'reset') request.socket.resetAndDestroy()
    else return fault.kind === 'hang' && fault.after === undefined
    return true
  }
}

function listEntry(file: ServedFile): object {
  const { path, bytes, lfs, xet, listed } = file
  const size = listed?.size ?? bytes.length
  const hash = listed?.oid ?? hashOf(file)
  return {
    type: 'file',
    path: listed?.path ?? path,
    size,
    oid: lfs ? file.gitSha1 : hash,
    ...(lfs && { lfs: { oid: hash, size, pointerSize: 134 } }),
    ...(xet && { xetHash: file.sha256 }),
  }
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
