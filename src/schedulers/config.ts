import { InvalidArgumentError } from '../core/errors'
import { nearest } from '../core/nearest'

/** One option of a scheduler's config: its default, what it accepts, and how an error says so. */
export interface Option<T> {
  readonly initial: T
  readonly expected: string
  /** Whether the option takes the value. */
  accepts(value: unknown): value is T
  /** Values of other classes under the same name, with the one that stands for them here. */
  readonly replaces?: Readonly<Record<string, T>>
}

/** All options of a scheduler class, by their camelCase names. */
export type Options = Readonly<Record<string, Option<unknown>>>

/** What every config carries beside the options of its class, so that nothing is lost when classes are switched. */
export interface ConfigRecord {
  /** The class that the config belongs to, as in diffusers' `_class_name`. */
  readonly _className: string
  /** The options that nobody gave: another class uses its own defaults for them. */
  readonly _useDefaultValues: readonly string[]
  /** Given values that this class replaced by its own, such as another class's `algorithmType`. */
  readonly _replaced?: Readonly<Record<string, unknown>>
  /** Given options of other classes: of no effect here, and back in effect when the class is switched again. */
  readonly _others?: Readonly<Record<string, unknown>>
}

/** The config that a set of options describes. */
export type ConfigOf<O extends Options> = ConfigRecord & {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never
}

/** An option that is on or off. */
export function flag(initial: boolean): Option<boolean> {
  return { initial, expected: 'true or false', accepts: (value) => typeof value === 'boolean' }
}

/** A number from `minimum` to `maximum`. */
export function real(initial: number, minimum = -Infinity, maximum = Infinity): Option<number> {
  const accepts = (value: unknown): value is number =>
    typeof value === 'number' && value >= minimum && value <= maximum && !Number.isNaN(value)
  const range = maximum < Infinity ? `from ${minimum} to ${maximum}` : `of ${minimum} or more`
  return { initial, expected: minimum > -Infinity ? `a number ${range}` : 'a number', accepts }
}

/** A number above 0. */
export function positive(initial: number): Option<number> {
  const accepts = (value: unknown): value is number => typeof value === 'number' && value > 0 && value < Infinity
  return { initial, expected: 'a number above 0', accepts }
}

/** An integer from `minimum` to `maximum`. */
export function integer(initial: number, minimum: number, maximum = Number.MAX_SAFE_INTEGER): Option<number> {
  const accepts = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum
  const range = maximum === Number.MAX_SAFE_INTEGER ? `of ${minimum} or more` : `from ${minimum} to ${maximum}`
  return { initial, expected: `an integer ${range}`, accepts }
}

/** One of some words; the first is the default. `replaces` maps words of other classes to one of these. */
export function oneOf<const T extends string>(
  words: readonly [T, ...T[]],
  replaces?: Readonly<Record<string, NoInfer<T>>>,
): Option<T> {
  const known: readonly unknown[] = words
  return {
    initial: words[0],
    expected: words.join(', '),
    accepts: (value): value is T => known.includes(value),
    replaces,
  }
}

/** A list of numbers. */
export function numbers(
  initial: readonly number[],
  minimum = -Infinity,
  maximum = Infinity,
): Option<readonly number[]> {
  const each = real(0, minimum, maximum)
  const accepts = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(each.accepts)
  return { initial, expected: `a list of numbers, each ${each.expected}`, accepts }
}

/** An option that may be null, which is its default unless another is given. */
export function optional<T>(
  option: Option<T>,
  initial: T | null = null,
  replaces?: Readonly<Record<string, T | null>>,
): Option<T | null> {
  const accepts = (value: unknown): value is T | null => value === null || option.accepts(value)
  return { initial, expected: `${option.expected} or null`, accepts, replaces }
}

/**
 * The config of a class: what `overrides` give, else what `base` gives, else the class's defaults.
 *
 * @param className - The class, for errors and for the config.
 * @param options - The class's options.
 * @param overrides - In snake_case or camelCase; every key must be an option of the class.
 * @param base - A `scheduler_config.json` or the config of any scheduler; keys that are no option here are kept.
 * @throws InvalidArgumentError that names the option if a value is not allowed or an override unknown.
 */
export function resolveConfig<O extends Options>(
  className: string,
  options: O,
  overrides: object,
  base: object,
): ConfigOf<O> {
  const given = { ...givenBy(base), ...checkOverrides(className, options, overrides) }
  const values: Record<string, unknown> = {}
  const useDefaultValues: string[] = []
  const replaced: Record<string, unknown> = {}
  for (const [key, option] of Object.entries(options)) {
    let value = given[key]
    if (value === undefined) {
      useDefaultValues.push(key)
      value = option.initial
    } else if (value === null && !option.accepts(null)) {
      // Python writes None where an option was left out.
      replaced[key] = value
      value = option.initial
    } else if (typeof value === 'string' && option.replaces && Object.hasOwn(option.replaces, value)) {
      replaced[key] = value
      value = option.replaces[value]
    }
    if (!option.accepts(value)) {
      const got = JSON.stringify(value) ?? String(value)
      throw new InvalidArgumentError(
        className,
        `option ${key} is not supported: got ${got}, expected ${option.expected}`,
      )
    }
    values[key] = value
  }
  const others = Object.fromEntries(
    Object.entries(given).filter(([key]) => key !== '_className' && !Object.hasOwn(options, key)),
  )
  const record: ConfigRecord = {
    _className: className,
    _useDefaultValues: useDefaultValues,
    ...(Object.keys(replaced).length > 0 && { _replaced: replaced }),
    ...(Object.keys(others).length > 0 && { _others: others }),
  }
  return Object.freeze({ ...values, ...record }) as ConfigOf<O>
}

/** The keys of a config in camelCase, without those that were only defaults, old spellings repaired. */
function givenBy(base: object): Record<string, unknown> {
  const { _useDefaultValues = [], _replaced = {}, _others = {}, predictEpsilon, ...config } = camelKeys(base)
  for (const key of Array.isArray(_useDefaultValues) ? _useDefaultValues : []) delete config[camelCase(String(key))]
  // Before diffusers 0.10 a flag stood for the prediction type.
  if (predictEpsilon !== undefined) config.predictionType ??= predictEpsilon ? 'epsilon' : 'sample'
  return { ...config, ...Object(_others), ...Object(_replaced) }
}

function checkOverrides(className: string, options: Options, overrides: object): Record<string, unknown> {
  const given = camelKeys(overrides)
  const known = Object.keys(options)
  for (const key of Object.keys(given)) {
    if (given[key] === undefined) delete given[key]
    else if (!known.includes(key)) {
      const [closest] = nearest(key, known)
      throw new InvalidArgumentError(className, `unknown option: got ${key}, expected one it has, such as ${closest}`)
    }
  }
  return given
}

function camelKeys(object: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [camelCase(key), value]))
}

/** `use_karras_sigmas` → `useKarrasSigmas`; a leading underscore stays. */
function camelCase(key: string): string {
  return key.replace(/(?<!^)_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
