/**
 * The base of every error that latentkit throws on purpose. `code` is stable across versions and safe to switch on;
 * the message has the form `[latentkit] [part] what happened: got …, expected …`.
 */
export class LatentkitError extends Error {
  /** A stable identifier of the kind of error, such as `ERR_INVALID_ARGUMENT`. */
  readonly code: string

  /**
   * @param code - Stable identifier of the kind of error.
   * @param part - The part of latentkit that noticed, such as `safetensors` or `DDIMScheduler`.
   * @param message - What happened, what was given and what is allowed.
   * @param options - The `cause`, when another error led to this one.
   */
  constructor(code: string, part: string, message: string, options?: ErrorOptions) {
    super(`[latentkit] [${part}] ${message}`, options)
    this.name = new.target.name
    this.code = code
  }
}

/** An argument or option is outside what the function takes: nothing was started. */
export class InvalidArgumentError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_INVALID_ARGUMENT', part, message, options)
  }
}

/** A file's bytes are not what its format promises: truncated, corrupt or hostile. */
export class FormatError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_FORMAT', part, message, options)
  }
}

/** A file, folder, component or repository that is needed does not exist. */
export class NotFoundError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_NOT_FOUND', part, message, options)
  }
}

/** A checkpoint does not hold the weights that the model's config calls for. */
export class CheckpointError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_CHECKPOINT', part, message, options)
  }
}

/** A config asks for something that latentkit does not support; the message names the option. */
export class UnsupportedError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_UNSUPPORTED', part, message, options)
  }
}

/** The runtime (ONNX Runtime, a device, a native package) is missing or failed. */
export class RuntimeError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_RUNTIME', part, message, options)
  }
}

/** The GPU went away: a driver was reset, the system took the device back. What was on it is gone; another run may succeed. */
export class DeviceLostError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_DEVICE_LOST', part, message, options)
  }
}

/** An object was used in a state that does not allow it: disposed of, or busy with another run. */
export class StateError extends LatentkitError {
  constructor(part: string, message: string, options?: ErrorOptions) {
    super('ERR_STATE', part, message, options)
  }
}
