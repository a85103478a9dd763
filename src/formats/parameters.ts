import { InvalidArgumentError } from '../core/errors'

/**
 * How a picture was made, as Stable Diffusion tools keep it in the `parameters` text of a PNG: the format that
 * AUTOMATIC1111's web UI writes and reads.
 */
export interface GenerationInfo {
  readonly prompt: string
  readonly negativePrompt?: string
  /** Denoising steps. */
  readonly steps?: number
  /** The sampler's or scheduler's name. */
  readonly sampler?: string
  /** Guidance ("CFG scale"). */
  readonly guidanceScale?: number
  readonly seed?: bigint
  /** Pixels. */
  readonly width?: number
  readonly height?: number
  /** The checkpoint's name. */
  readonly model?: string
  /** How much of the initial image is made anew, 0 to 1. */
  readonly strength?: number
  /**
   * All other settings by name, such as `Clip skip`. A name has at least two characters: letters, digits, `_`, `-`, `/`
   * and spaces.
   */
  readonly other?: Readonly<Record<string, string>>
}

const NEGATIVE = 'Negative prompt:'

/**
 * Writes the `parameters` text: the prompt, the negative prompt behind `Negative prompt:`, and the settings on one last
 * line. {@link parseParameters} gives the same back, unless a line of the prompt itself begins with `Negative prompt:`
 * or there are fewer than three settings, which readers of this format take for a part of the prompt.
 *
 * @throws InvalidArgumentError when a name in `other` is not possible.
 */
export function formatParameters(info: GenerationInfo): string {
  const settings = Object.entries({
    Steps: info.steps,
    Sampler: info.sampler,
    'CFG scale': info.guidanceScale,
    Seed: info.seed,
    Size: info.width === undefined || info.height === undefined ? undefined : `${info.width}x${info.height}`,
    Model: info.model,
    'Denoising strength': info.strength,
    ...info.other,
  }).flatMap(([key, value]) => (value === undefined ? [] : [`${checkKey(key)}: ${quote(String(value))}`]))
  const lines = [info.prompt]
  if (info.negativePrompt) lines.push(`${NEGATIVE} ${info.negativePrompt}`)
  if (settings.length > 0) lines.push(settings.join(', '))
  return lines.join('\n')
}

/**
 * Reads a `parameters` text, ours or another tool's. What it does not understand as one of the named settings is in
 * `other`; a text without settings is all prompt. It takes any text and time linear in its length.
 */
export function parseParameters(text: string): GenerationInfo {
  const trimmed = text.trimEnd()
  const lastLine = trimmed.lastIndexOf('\n') + 1
  let settings = parseSettings(trimmed.slice(lastLine))
  let prompts = trimmed.slice(0, Math.max(lastLine - 1, 0))
  if (settings.length < 3) [settings, prompts] = [[], trimmed]

  const lines = prompts.split('\n')
  const negative = lines.findIndex((line) => line.trimStart().startsWith(NEGATIVE))
  const rest = negative < 0 ? [] : lines.splice(negative)
  const negativePrompt = rest.join('\n').trimStart().slice(NEGATIVE.length).replace(/^ /, '')
  return { prompt: lines.join('\n'), ...(negativePrompt && { negativePrompt }), ...readSettings(settings) }
}

type Setting = readonly [key: string, value: string]
type Settings = Omit<GenerationInfo, 'prompt' | 'negativePrompt'>

/** The settings by their own names. One whose value is not of its kind stays in `other`. */
function readSettings(settings: readonly Setting[]): Settings {
  const named: { -readonly [K in keyof Settings]: Settings[K] } = {}
  const other = new Map<string, string>()
  for (const [key, value] of settings) {
    const number = /^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(value) ? Number(value) : undefined
    const size = /^(\d{1,9})x(\d{1,9})$/.exec(value)
    if (key === 'Steps' && number !== undefined) named.steps = number
    else if (key === 'Sampler') named.sampler = value
    else if (key === 'CFG scale' && number !== undefined) named.guidanceScale = number
    else if (key === 'Seed' && /^-?\d{1,20}$/.test(value)) named.seed = BigInt(value)
    else if (key === 'Size' && size) [named.width, named.height] = [Number(size[1]), Number(size[2])]
    else if (key === 'Model') named.model = value
    else if (key === 'Denoising strength' && number !== undefined) named.strength = number
    else other.set(key, value)
  }
  if (other.size > 0) named.other = Object.fromEntries(other)
  return named
}

const keyCharacter = /[\p{L}\p{N}_ \-/]/u
const keyStart = /[\p{L}\p{N}_]/u

function checkKey(key: string): string {
  if (!key || readKey(key) !== key) {
    throw new InvalidArgumentError(
      'parameters',
      `the name of a setting is not possible: got ${JSON.stringify(key)}, expected letters, digits, _, -, / and spaces`,
    )
  }
  return key
}

/** The longest setting's name that the text ends with; empty when there is none. */
function readKey(text: string): string {
  const characters = [...text]
  let start = characters.length
  while (start > 0 && keyCharacter.test(characters[start - 1])) start--
  while (start < characters.length && !keyStart.test(characters[start])) start++
  return characters.length - start < 2 ? '' : characters.slice(start).join('')
}

// A value that another tool's reader would take apart, or for a quoted one, is written as a JSON string.
function quote(value: string): string {
  return /[,:\n]|^"|^\s|\s$|^$/.test(value) ? JSON.stringify(value) : value
}

/** `key: value` pairs between commas; values may be JSON strings. What is no pair is skipped. */
function parseSettings(line: string): Setting[] {
  const settings: Setting[] = []
  let start = 0
  for (let colon = line.indexOf(':'); colon >= 0; colon = line.indexOf(':', start)) {
    const key = readKey(line.slice(start, colon))
    start = colon + 1
    if (!key) continue
    const [value, end] = readValue(line, start)
    settings.push([key, value])
    start = end
  }
  return settings
}

/** The value that begins at `start`, and where the text behind it and its comma begins. */
function readValue(line: string, start: number): [value: string, end: number] {
  let from = start
  while (from < line.length && /\s/.test(line[from])) from++
  if (line[from] === '"') {
    let close = from + 1
    while (close < line.length && line[close] !== '"') close += line[close] === '\\' ? 2 : 1
    if (line[close] === '"' && (close + 1 === line.length || line[close + 1] === ',')) {
      return [unquote(line.slice(from, close + 1)), close + 2]
    }
  }
  const comma = line.indexOf(',', from)
  const end = comma < 0 ? line.length : comma
  return [line.slice(from, end), end + 1]
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}
