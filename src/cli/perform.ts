import { InvalidArgumentError, LatentkitError } from '../node'

/** The exit status of a command line that asks for something impossible. */
export const EXIT_USAGE = 2
const EXIT_FAILED = 1
/** 128 and the number of SIGINT, as shells have it. */
const EXIT_INTERRUPTED = 130

/**
 * Runs a command: turns Ctrl-C into an abort, an error into a message and an exit status. A second Ctrl-C ends the
 * process at once.
 *
 * @param options - `debug` prints where an error happened.
 * @param work - The command; it rejects with the signal's reason when it was interrupted.
 */
export async function perform(
  options: { readonly debug?: boolean },
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController()
  const { signal } = controller
  // Without a listener, the next SIGINT has its usual effect.
  const interrupt = () => controller.abort(new Error('Interrupted.'))
  process.once('SIGINT', interrupt)
  try {
    await work(signal)
  } catch (error) {
    process.exitCode = signal.aborted
      ? EXIT_INTERRUPTED
      : error instanceof InvalidArgumentError
        ? EXIT_USAGE
        : EXIT_FAILED
    console.error(signal.aborted ? 'Interrupted.' : describe(error, options.debug))
  } finally {
    process.off('SIGINT', interrupt)
  }
}

function describe(error: unknown, debug?: boolean): string {
  if (debug) return error instanceof Error ? `${error.stack}${causes(error)}` : String(error)
  if (error instanceof LatentkitError) return `error: ${plainMessage(error)}`
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return `error: ${message}\n(This should not happen; --debug shows where it did.)`
}

/** An error's message, without the names of the program and of this part of it. */
export function plainMessage({ message }: Error): string {
  return message.replace(/^\[latentkit\] (\[cli\] )?/, '')
}

function causes({ cause }: Error): string {
  return cause instanceof Error ? `\ncaused by ${cause.stack}${causes(cause)}` : ''
}
