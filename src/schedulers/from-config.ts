import { InvalidArgumentError, NotFoundError } from '../core/errors'
import { nearest } from '../core/nearest'
import * as registry from './registry'
import type { Scheduler, SchedulerClass } from './scheduler'

/** Every scheduler class by its name. */
export const schedulers = { ...registry } satisfies Record<string, SchedulerClass>

/** The name of a scheduler class. */
export type SchedulerName = keyof typeof schedulers

/**
 * The scheduler that a `scheduler_config.json` describes, of the class that its `_class_name` names.
 *
 * @param config - A `scheduler_config.json` (snake_case) or any scheduler's `config`.
 * @param overrides - Options that win over the config, in either case style.
 * @throws InvalidArgumentError if it names no class, or an option is unknown, unsupported or contradictory;
 *   NotFoundError if the class is unknown: the message names all known ones.
 */
export function schedulerFromConfig(config: object, overrides: object = {}): Scheduler {
  const { _className = undefined, _class_name: name = _className } = config as Record<string, unknown>
  if (typeof name !== 'string') {
    throw new InvalidArgumentError(
      'schedulers',
      `the config names no class: got _class_name ${name}, expected a string`,
    )
  }
  const Class = schedulerClass(name)
  return new Class(overrides, config)
}

/**
 * The class of a name.
 *
 * @throws NotFoundError if there is none; the message names all there are.
 */
export function schedulerClass(name: string): SchedulerClass {
  if (Object.hasOwn(schedulers, name)) return schedulers[name as SchedulerName]
  const known = Object.keys(schedulers)
  const [closest] = nearest(name, known)
  throw new NotFoundError(
    'schedulers',
    `unknown scheduler class: got ${name}, expected one of ${known.join(', ')} (closest: ${closest})`,
  )
}
