import { describe, expect, it } from 'vitest'
import {
  createScheduler,
  DPMSolverMultistepScheduler,
  EulerAncestralDiscreteScheduler,
  resolveName,
  samplerNames,
  scheduleNames,
  schedulers,
} from '../../src/schedulers'
import { run } from './toy'

const SD = { _class_name: 'PNDMScheduler', beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' }

const set = (options: object) =>
  Object.entries(options)
    .map(([key, value]) => `\`${key}: ${JSON.stringify(value).replaceAll('"', "'")}\``)
    .join(', ')

/** The docs' page of names. `npx vitest run test/schedulers/names -u` writes it anew. */
function page(): string {
  const samplers = Object.entries(samplerNames).map(
    ([name, { className, options }]) => `| \`${name}\` | \`${className}\` | ${set(options)} |`,
  )
  const schedules = Object.entries(scheduleNames).map(([name, options]) => `| \`${name}\` | ${set(options)} |`)
  return `# Schedulers by name

\`\`\`ts
pipe.scheduler = createScheduler('dpm++ 2m karras', pipe.scheduler.config)
\`\`\`

\`createScheduler(name, config, overrides)\` makes the scheduler that people know by a name, for a model's config. The name
is a sampler's, which a schedule of noise levels may follow where its class has the option. A name without a schedule turns
Karras, exponential, beta and Lu sigmas off. Letter case, \`_\` and \`-\` do not count, and the spellings of other tools are
understood: \`DPM++ 2M Karras\`, \`dpmpp_2m_k\`, \`euler_ancestral\`, \`k_lms\`, \`uni_pc\`. The name of a class is a name, too.

Each sampler is the method of that name; only \`dpm++ 2s a\` is the nearest there is, a singlestep solver of the same order
and equation.

| sampler | class | options |
|---|---|---|
${samplers.join('\n')}

| schedule | options |
|---|---|
${schedules.join('\n')}
`
}

describe('createScheduler', () => {
  it('knows every name of the docs, which are up to date', async () => {
    await expect(page()).toMatchFileSnapshot('../../docs/schedulers/names.md')
  })

  it.each(Object.entries(samplerNames))('makes a working %s', (name, { className, options }) => {
    const scheduler = createScheduler(name, SD)
    expect(scheduler).toBeInstanceOf(schedulers[className])
    expect(scheduler.config).toMatchObject(options)
    scheduler.setTimesteps(6)
    expect(run(scheduler).every(Number.isFinite)).toBe(true)
  })

  const spellings: [string, string][] = [
    ['DPM++ 2M Karras', 'dpm++ 2m karras'],
    ['dpmpp_2m_k', 'dpm++ 2m karras'],
    ['dpmpp_2m_sde', 'dpm++ 2m sde'],
    ['DPM++ 3M SDE Exponential', 'dpm++ 3m sde exponential'],
    ['euler_ancestral', 'euler a'],
    ['k_euler_a', 'euler a'],
    ['Euler a', 'euler a'],
    ['k_lms', 'lms'],
    ['dpm_2_ancestral', 'dpm2 a'],
    ['kdpm_2', 'dpm2'],
    ['uni_pc', 'unipc'],
    ['sa-solver', 'sa solver'],
    ['  LCM ', 'lcm'],
    ['dpm++ 2m sgm_uniform', 'dpm++ 2m sgm uniform'],
  ]
  it.each(spellings)('reads %s as %s', (spelling, name) => {
    expect(resolveName(spelling)).toEqual(resolveName(name))
  })

  it('keeps the model’s config, and lets overrides win', () => {
    const scheduler = createScheduler('dpm++ 2m karras', SD, { solver_order: 3 })
    expect(scheduler).toBeInstanceOf(DPMSolverMultistepScheduler)
    expect(scheduler.config).toMatchObject({ betaStart: 0.00085, useKarrasSigmas: true, solverOrder: 3 })
    expect(createScheduler('EulerAncestralDiscreteScheduler', SD)).toBeInstanceOf(EulerAncestralDiscreteScheduler)
  })

  it('means what it says: a name without a schedule has none', () => {
    expect(createScheduler('euler', { ...SD, use_karras_sigmas: true }).config).toMatchObject({
      useKarrasSigmas: false,
    })
    expect(createScheduler('euler exponential', { ...SD, use_karras_sigmas: true }).config).toMatchObject({
      useKarrasSigmas: false,
      useExponentialSigmas: true,
    })
  })

  const misspelt: [string, string][] = [
    ['dpm++ 2m karas', '"dpm++ 2m karras"'],
    ['eular a', '"euler a"'],
    ['unicp', '"unipc"'],
    ['', 'unknown scheduler: got ""'],
  ]
  it.each(misspelt)('answers "%s" with the nearest names', (name, message) => {
    expect(() => createScheduler(name)).toThrow(message)
    expect(() => createScheduler(name)).toThrow('[latentkit] [schedulers] unknown scheduler')
  })

  it('says which schedules a sampler has', () => {
    expect(() => createScheduler('ddim karras')).toThrow(
      '[latentkit] [schedulers] ddim has no such schedule: got "karras", expected none, or "sgm uniform", or "simple"',
    )
  })
})
