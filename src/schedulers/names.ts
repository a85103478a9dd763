import { NotFoundError } from '../core/errors'
import { nearest } from '../core/nearest'
import { type SchedulerName, schedulerClass, schedulers } from './from-config'
import type { Scheduler } from './scheduler'

/** What a name stands for: a class and the options that it sets. */
export interface NamedScheduler {
  readonly className: SchedulerName
  readonly options: Readonly<Record<string, unknown>>
}

const named = (className: SchedulerName, options: Readonly<Record<string, unknown>> = {}): NamedScheduler => ({
  className,
  options,
})

/** The samplers by the names that the common web interfaces have for them, in lower case. */
export const samplerNames: Readonly<Record<string, NamedScheduler>> = {
  euler: named('EulerDiscreteScheduler'),
  'euler a': named('EulerAncestralDiscreteScheduler'),
  heun: named('HeunDiscreteScheduler'),
  lms: named('LMSDiscreteScheduler'),
  dpm2: named('KDPM2DiscreteScheduler'),
  'dpm2 a': named('KDPM2AncestralDiscreteScheduler'),
  'dpm++ 2m': named('DPMSolverMultistepScheduler', { algorithmType: 'dpmsolver++', solverOrder: 2 }),
  'dpm++ 2m sde': named('DPMSolverMultistepScheduler', { algorithmType: 'sde-dpmsolver++', solverOrder: 2 }),
  'dpm++ 2m sde heun': named('DPMSolverMultistepScheduler', {
    algorithmType: 'sde-dpmsolver++',
    solverOrder: 2,
    solverType: 'heun',
  }),
  'dpm++ 3m': named('DPMSolverMultistepScheduler', { algorithmType: 'dpmsolver++', solverOrder: 3 }),
  'dpm++ 3m sde': named('DPMSolverMultistepScheduler', { algorithmType: 'sde-dpmsolver++', solverOrder: 3 }),
  'dpm++ 2s': named('DPMSolverSinglestepScheduler', { algorithmType: 'dpmsolver++', solverOrder: 2 }),
  'dpm++ 2s a': named('DPMSolverSinglestepScheduler', { algorithmType: 'sde-dpmsolver++', solverOrder: 2 }),
  'dpm++ sde': named('DPMSolverSDEScheduler'),
  ddim: named('DDIMScheduler'),
  ddpm: named('DDPMScheduler'),
  plms: named('PNDMScheduler', { skipPrkSteps: true }),
  pndm: named('PNDMScheduler'),
  ipndm: named('IPNDMScheduler'),
  deis: named('DEISMultistepScheduler'),
  unipc: named('UniPCMultistepScheduler'),
  'sa solver': named('SASolverScheduler'),
  lcm: named('LCMScheduler'),
  tcd: named('TCDScheduler'),
  'edm euler': named('EDMEulerScheduler'),
  'edm dpm++ 2m': named('EDMDPMSolverMultistepScheduler', { algorithmType: 'dpmsolver++', solverOrder: 2 }),
  'flow euler': named('FlowMatchEulerDiscreteScheduler'),
  'flow heun': named('FlowMatchHeunDiscreteScheduler'),
  'flow lcm': named('FlowMatchLCMScheduler'),
}

/** The schedules of noise levels that may follow a sampler's name, where its class has the option. */
export const scheduleNames: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  karras: { useKarrasSigmas: true },
  exponential: { useExponentialSigmas: true },
  beta: { useBetaSigmas: true },
  lu: { useLuLambdas: true },
  'sgm uniform': { timestepSpacing: 'trailing' },
  simple: { timestepSpacing: 'trailing' },
}

/** A name says which schedule there is, so one without any turns these off. */
const SCHEDULE_FLAGS = ['useKarrasSigmas', 'useExponentialSigmas', 'useBetaSigmas', 'useLuLambdas']

/**
 * The scheduler that people know by a name: one of {@link samplerNames}, which one of {@link scheduleNames} may follow,
 * or a class name. Letter case, `_` and `-` do not count, and the spellings of other tools are known: `DPM++ 2M Karras`,
 * `dpmpp_2m_k`, `euler_ancestral`, `k_lms`.
 *
 * @param name - Such as `dpm++ 2m karras`, `euler a`, `ddim`, `plms`, `unipc`, `lcm`.
 * @param config - The model's `scheduler_config.json` or another scheduler's config: how the model was trained.
 * @param overrides - Options that win over those of the name, in either case style.
 * @throws NotFoundError for an unknown name: the message has the nearest; InvalidArgumentError for a wrong option.
 */
export function createScheduler(name: string, config: object = {}, overrides: object = {}): Scheduler {
  const { className, options } = resolveName(name)
  const Class = schedulerClass(className)
  return new Class({ ...options, ...overrides }, config)
}

/**
 * The class and the options of a name.
 *
 * @throws NotFoundError for an unknown name: the message has the nearest.
 */
export function resolveName(name: string): NamedScheduler {
  const className = Object.keys(schedulers).find((each) => each.toLowerCase() === name.trim().toLowerCase())
  if (className !== undefined) return named(className as SchedulerName)
  const normal = normalise(name)
  const names = allNames()
  const found = names.get(normal)
  if (found) return found
  const schedule = Object.keys(scheduleNames).find((each) => normal.endsWith(` ${each}`))
  const sampler = normal.slice(0, -1 - (schedule?.length ?? 0))
  if (schedule !== undefined && Object.hasOwn(samplerNames, sampler)) {
    const has = Object.keys(scheduleNames).filter((each) => names.has(`${sampler} ${each}`))
    throw new NotFoundError(
      'schedulers',
      `${sampler} has no such schedule: got "${schedule}", expected none${has.map((each) => `, or "${each}"`).join('')}`,
    )
  }
  const closest = nearest(normal, [...names.keys()])
    .map((each) => `"${each}"`)
    .join(', ')
  throw new NotFoundError('schedulers', `unknown scheduler: got "${name}", expected a name such as ${closest}`)
}

/** Every name, with the schedules that each sampler's class has. */
function allNames(): Map<string, NamedScheduler> {
  const names = new Map<string, NamedScheduler>()
  for (const [sampler, { className, options }] of Object.entries(samplerNames)) {
    const known = schedulerClass(className).options
    const flags = Object.fromEntries(SCHEDULE_FLAGS.filter((flag) => flag in known).map((flag) => [flag, false]))
    names.set(sampler, named(className, { ...flags, ...options }))
    for (const [schedule, schedules] of Object.entries(scheduleNames)) {
      if (!Object.keys(schedules).every((option) => option in known)) continue
      names.set(`${sampler} ${schedule}`, named(className, { ...flags, ...options, ...schedules }))
    }
  }
  return names
}

/** The spellings of other tools as one. */
function normalise(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ')
    .replace(/^k (?=\w)/, '')
    .replace(/\bdpmpp\b/, 'dpm++')
    .replace(/\bk?dpm 2\b/, 'dpm2')
    .replace(/\bancestral\b/, 'a')
    .replace(/\buni pc\b/, 'unipc')
    .replace(/ k$/, ' karras')
}
