import * as coreErrors from '../../core/errors'
import * as hubErrors from '../../hub/errors'

/** An error as it travels: `structuredClone` would keep neither its class nor its `code`. */
export interface PackedError {
  /** The nearest class that both sides know. */
  readonly className: string
  readonly name: string
  readonly message: string
  readonly stack?: string
  /** What the error tells beside the message, such as `code`. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

const standard = { Error, TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError, AggregateError }

/** Classes by the names of their exports, which a bundler keeps. */
const classes = new Map<string, { readonly prototype: object }>(
  Object.entries({ ...standard, ...coreErrors, ...hubErrors }),
)

/** @param packValue - Packs the cause. */
export function packError(error: Error, packValue: (value: unknown) => unknown): PackedError {
  const { name, message, stack, cause } = error
  const fields = Object.fromEntries(Object.entries(error).filter(([, value]) => isPlain(value)))
  const packed = { className: classNameOf(error), name, message, stack, fields }
  return cause === undefined ? packed : { ...packed, cause: packValue(cause) }
}

/** An error of the same class, with the stack of the thread that it comes from. */
export function unpackError(packed: PackedError, unpackValue: (value: unknown) => unknown): Error {
  const { className, name, message, stack, fields } = packed
  if (className === 'DOMException') return new DOMException(message, name)
  const options = 'cause' in packed ? { cause: unpackValue(packed.cause) } : undefined
  const error = new Error(message, options)
  const { prototype } = classes.get(className) ?? Error
  // The constructors would word the message anew.
  Object.setPrototypeOf(error, prototype)
  Object.assign(error, error.name === name ? {} : { name }, fields)
  if (stack !== undefined) error.stack = stack
  return error
}

function classNameOf(error: Error): string {
  if (error instanceof DOMException) return 'DOMException'
  for (let type: unknown = error; type !== null; type = Object.getPrototypeOf(type)) {
    for (const [name, { prototype }] of classes) if (prototype === type) return name
  }
  return 'Error'
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isPlain)
  return value === null || !['object', 'function', 'symbol'].includes(typeof value)
}
