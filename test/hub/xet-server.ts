import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SeenRequest, ServedFile } from './server'

/** Bytes of a chunk, and chunks of a xorb (the unit in which xet stores them). */
const CHUNK = 65_536
const CHUNKS_PER_XORB = 4
/** Version, compressed length (3 bytes), scheme (0: none), uncompressed length (3 bytes). */
const HEADER = 8

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** The part of xet's protocol that downloads use: what a file is put together from, and those xorbs. */
export async function xetRoutes(
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  files: readonly ServedFile[],
  see: (file: string) => SeenRequest,
): Promise<boolean> {
  const [, kind, hash, number] = /^\/(v2\/reconstructions|xorb)\/([0-9a-f]{64})(?:\/(\d+))?$/.exec(url.pathname) ?? []
  const file = files.find((candidate) => candidate.xet && candidate.sha256 === hash)
  if (file === undefined) return false
  const [, from] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? []
  if (kind === 'xorb') {
    const seen = see(file.path)
    const body = xorb(file.bytes, Number(number))
    response.writeHead(200, { 'content-length': String(body.length) }).end(body)
    seen.sent += body.length
    return true
  }
  if (request.headers.authorization !== 'Bearer xet_token') {
    response.writeHead(401).end()
    return true
  }
  see(`${file.path} (reconstruction)`)
  const start = Number(from ?? 0)
  const size = CHUNK * CHUNKS_PER_XORB
  const first = Math.floor(start / size)
  const numbers = Array.from({ length: Math.ceil(file.bytes.length / size) - first }, (_, i) => first + i)
  const parts = numbers.map((n) => {
    const unpacked = file.bytes.subarray(n * size, (n + 1) * size).length
    return {
      n,
      unpacked,
      chunks: { start: 0, end: Math.ceil(unpacked / CHUNK) },
      id: hashOf(Buffer.from(`${hash} ${n}`)),
    }
  })
  const reconstruction = {
    offset_into_first_range: start - first * size,
    terms: parts.map(({ id, unpacked, chunks }) => ({ hash: id, unpacked_length: unpacked, range: chunks })),
    xorbs: Object.fromEntries(
      parts.map(({ n, id, unpacked, chunks }) => {
        const bytes = { start: 0, end: unpacked + chunks.end * HEADER - 1 }
        return [id, [{ url: `${url.origin}/xorb/${hash}/${n}`, ranges: [{ chunks, bytes }] }]]
      }),
    ),
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reconstruction))
  return true
}

function xorb(bytes: Uint8Array, number: number): Buffer {
  const size = CHUNK * CHUNKS_PER_XORB
  const part = bytes.subarray(number * size, (number + 1) * size)
  const chunks: Uint8Array[] = []
  for (let offset = 0; offset < part.length; offset += CHUNK) {
    const chunk = part.subarray(offset, offset + CHUNK)
    const header = Buffer.alloc(HEADER)
    header.writeUIntLE(chunk.length, 1, 3)
    header.writeUIntLE(chunk.length, 5, 3)
    chunks.push(header, chunk)
  }
  return Buffer.concat(chunks)
}
