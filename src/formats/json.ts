import { FormatError } from '../core/errors'

// Deeper than any config or header that exists, and shallow enough that nesting cannot eat memory.
const MAX_DEPTH = 64

/** Where the string that starts at `start` ends: the index of its closing quote. */
function closingQuote(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1) {
    let backslashes = 0
    while (text[end - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  throw new SyntaxError('a string does not end')
}

/** Throws on what `JSON.parse` lets pass in silence (a key given twice) or at great cost (deep nesting). */
function checkStructure(text: string): void {
  /** The objects and arrays that are open: the keys of an object so far, `undefined` for an array. */
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : undefined)
      if (open.length > MAX_DEPTH) throw new SyntaxError(`nested more than ${MAX_DEPTH} deep`)
    } else if (character === '}' || character === ']') {
      open.pop()
    } else if (character === '"') {
      const end = closingQuote(text, i)
      let next = end + 1
      while (/[ \t\r\n]/.test(text.charAt(next))) next++
      if (text[next] === ':') {
        const keys = open.at(-1)
        const key: string = JSON.parse(text.slice(i, end + 1))
        if (keys?.has(key)) throw new SyntaxError(`the key ${quote(key)} occurs twice in one object`)
        keys?.add(key)
      }
      i = end
    }
  }
}

/** `text` in double quotes, cut when it is too long for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}

/** Whether a parsed JSON value is an object (neither an array nor null). */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Python writes the infinities and NaN as words, which JSON does not have: as numbers that it has, NaN as null. */
function withoutWords(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|(-?)Infinity|NaN/g, (found, sign?: string) => {
    if (found.startsWith('"')) return found
    return found === 'NaN' ? 'null' : `${sign}1e999`
  })
}

/**
 * Parses JSON strictly: valid UTF-8, no byte order mark, no key twice in one object, no absurd nesting.
 *
 * @param bytes - The file's bytes.
 * @param part - The part of latentkit that reads, for the message.
 * @param what - What the message calls the file.
 * @param dialect - `python` also takes `Infinity`, `-Infinity` and `NaN` (as null), which Python's configs have.
 * @throws FormatError when any of that does not hold.
 */
export function parseJson(bytes: Uint8Array, part: string, what: string, dialect: 'json' | 'python' = 'json'): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new FormatError(part, `${what} is not valid UTF-8`, { cause })
  }
  try {
    checkStructure(text)
    return JSON.parse(dialect === 'python' ? withoutWords(text) : text)
  } catch (cause) {
    throw new FormatError(part, `${what} is not valid JSON: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}
