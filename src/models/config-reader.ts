import { UnsupportedError } from '../core/errors'

/** A parsed `config.json`, before it is understood. */
export type RawConfig = Readonly<Record<string, unknown>>

/**
 * Reads the options of a `config.json` with their types checked. Options are read once, at the edge; an unsupported
 * value is an error that names the option.
 */
export class ConfigReader {
  /**
   * @param part - What errors call the config, such as `unet/config.json`.
   * @param raw - The parsed JSON.
   */
  constructor(
    readonly part: string,
    private readonly raw: RawConfig,
  ) {}

  /** The value as it is; `null` counts as absent. */
  value(key: string): unknown {
    return this.raw[key] ?? undefined
  }

  /** Whether the option is given, be it as `null`. */
  has(key: string): boolean {
    return key in this.raw
  }

  /** A finite number. */
  number(key: string, fallback: number): number {
    return this.optionalNumber(key) ?? fallback
  }

  /** A finite number, or `undefined` when it is absent. */
  optionalNumber(key: string): number | undefined {
    const value = this.value(key)
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
    throw this.wrong(key, 'a number')
  }

  /** A positive integer. */
  count(key: string, fallback?: number): number {
    const value = this.value(key) ?? fallback
    if (Number.isSafeInteger(value) && Number(value) > 0) return Number(value)
    throw this.wrong(key, 'a positive integer')
  }

  /** true or false. */
  boolean(key: string, fallback: boolean): boolean {
    const value = this.value(key) ?? fallback
    if (typeof value === 'boolean') return value
    throw this.wrong(key, 'true or false')
  }

  /** A list of positive integers. */
  counts(key: string, fallback?: readonly number[]): readonly number[] {
    const value = this.value(key) ?? fallback
    const valid =
      Array.isArray(value) && value.length > 0 && value.every((item) => Number.isSafeInteger(item) && item > 0)
    if (valid) return value
    throw this.wrong(key, 'a list of positive integers')
  }

  /** One item a level: a list of that length, or one value for all. */
  perLevel<T>(key: string, levels: number, fallback: T, isItem: (item: unknown) => item is T): readonly T[] {
    const value = this.value(key) ?? fallback
    const list = Array.isArray(value) ? value : Array.from({ length: levels }, () => value)
    if (list.length === levels && list.every(isItem)) return list
    throw this.wrong(key, `one value, or one for each of ${levels} levels`)
  }

  /** One of the names listed. */
  oneOf<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
    const value = this.value(key) ?? fallback
    const found = allowed.find((name) => name === value)
    if (found !== undefined) return found
    throw this.wrong(key, allowed.join(' or '))
  }

  /** A list of names, each one of those listed. */
  namesOf<T extends string>(key: string, allowed: readonly T[], fallback: readonly T[]): readonly T[] {
    const value = this.value(key) ?? fallback
    if (!Array.isArray(value)) throw this.wrong(key, 'a list of names')
    return value.map((item) => {
      const found = allowed.find((name) => name === item)
      if (found === undefined) throw this.wrong(key, `names out of ${allowed.join(', ')}`)
      return found
    })
  }

  /** Throws unless the option is absent or equals `supported`. */
  only(key: string, supported: unknown): void {
    const value = this.value(key)
    if (value === undefined || value === supported) return
    throw this.wrong(key, supported === undefined ? 'null' : JSON.stringify(supported))
  }

  /** The error for a value that is not supported. */
  wrong(key: string, expected: string): UnsupportedError {
    const got = JSON.stringify(this.raw[key]) ?? 'nothing'
    return new UnsupportedError(this.part, `${key} is not supported: got ${got}, expected ${expected}`)
  }
}

/** Whether a value is a positive integer. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

/** Whether a value is true or false. */
export function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean'
}
