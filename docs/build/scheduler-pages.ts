import { type SchedulerClass, type SchedulerName, samplerNames, schedulers } from '../../src/schedulers'
import { classComments, memberComments } from './comments'
import { optionNotes, paperTitles, whenToChoose } from './scheduler-notes'

type Option = SchedulerClass['options'][string]

const comments = classComments()
const scheduleComments = memberComments('run.ts', 'ScheduleOptions')
const stepComments = memberComments('run.ts', 'StepOptions')

/** The pages of `docs/schedulers` that follow from the code, by file name. */
export function schedulerPages(): ReadonlyMap<string, string> {
  const names = Object.keys(schedulers).sort() as SchedulerName[]
  return new Map([['README.md', index(names)], ...names.map((name) => [`${name}.md`, page(name)] as const)])
}

function index(names: readonly SchedulerName[]): string {
  const rows = names.map((name) => {
    const scheduler = new schedulers[name]()
    const text = lookUp(comments, name, 'class').replaceAll(/\s+/g, ' ')
    const [about] = text.split(' Corresponds to ')[0].split(/(?<=\.) (?=[A-Z])/)
    return [`[${name}](${name}.md)`, withTitles(about), String(scheduler.order), samplersOf(name).join(', ')]
  })
  return `# Schedulers

${wrap(
  `All of diffusers' schedulers that Stable Diffusion users meet, with its options and its numbers: they are compared ` +
    `with diffusers 0.35.2 step by step, and with the exact solution of a model for which it is known. Each reads a ` +
    `repository's \`scheduler_config.json\` and the config of any other, and switching back and forth loses nothing:`,
)}

\`\`\`ts
import { createScheduler, EulerDiscreteScheduler } from 'latentkit'

pipe.scheduler = EulerDiscreteScheduler.fromConfig(pipe.scheduler.config, { useKarrasSigmas: true })
pipe.scheduler = createScheduler('dpm++ 2m karras', pipe.scheduler.config) // or by the name that web interfaces have
\`\`\`

[The names](names.md) of the common web interfaces are a page of their own. Options are in camelCase; snake_case is read
too.

![A red star on a blue background by twenty samplers, in 4, 8, 16 and 32 steps](../images/schedulers.png)

*One prompt and seed in 4 to 32 steps, drawn by the embedded model: \`npm run bench:schedulers\`. The samplers without fresh
noise agree in the end; each of the others finds a picture of its own.*

${table(['class', 'what it is', 'calls a step', 'names'], rows)}
`
}

function page(name: SchedulerName): string {
  const Class: SchedulerClass = schedulers[name]
  const scheduler = new Class()
  const samplers = samplersOf(name)
  const options = Object.entries(Class.options).map(([key, option]) => [
    `\`${key}\``,
    defaultOf(option),
    valuesOf(option),
    lookUp(optionNotes, key, 'option'),
  ])
  const paragraphs = lookUp(comments, name, 'class').split('\n\n')
  return `# ${name}

${paragraphs.map((paragraph) => wrap(withTitles(paragraph))).join('\n\n')}

## When to choose it

${wrap(whenToChoose[name])}

\`\`\`ts
pipe.scheduler = ${name}.fromConfig(pipe.scheduler.config)
\`\`\`
${samplers.length > 0 ? `\nBy name: ${samplers.join(', ')}.\n` : ''}
## Options

${table(['option', 'default', 'values', 'what it does'], options)}
${taken('setTimesteps', scheduler.scheduleOptions, scheduleComments)}${taken('step', scheduler.stepOptions, stepComments)}
[All schedulers](README.md)
`
}

function defaultOf({ initial }: Option): string {
  return `\`${initial === -Infinity ? '-Infinity' : JSON.stringify(initial).replaceAll('"', '')}\``
}

function valuesOf({ initial, expected }: Option): string {
  if (typeof initial !== 'string') return expected
  const words = expected.split(', ').map((word) => `\`${word}\``)
  return words.join(', ')
}

/** What a method takes, if anything, as a section. */
function taken(method: string, options: ReadonlySet<string>, notes: ReadonlyMap<string, string>): string {
  if (options.size === 0) return ''
  const rows = [...options].map((key) => [`\`${key}\``, lookUp(notes, key, `option of ${method}`)])
  return `\n## What \`${method}\` takes\n\n${table(['option', 'what it is'], rows)}\n`
}

/** The names of web interfaces that stand for a class. */
function samplersOf(name: SchedulerName): string[] {
  const entries = Object.entries(samplerNames)
  return entries.filter(([, { className }]) => className === name).map(([sampler]) => `\`${sampler}\``)
}

/** The papers of a text by their titles. */
function withTitles(text: string): string {
  return text.replaceAll(
    /https:\/\/arxiv\.org\/abs\/(\d+\.\d+)/g,
    (url, number) => `[${lookUp(paperTitles, number, 'paper')}](${url})`,
  )
}

function lookUp(
  notes: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
  key: string,
  what: string,
): string {
  const note = notes instanceof Map ? notes.get(key) : Object.entries(notes).find(([each]) => each === key)?.[1]
  if (note === undefined) throw new Error(`docs/build/scheduler-notes.ts says nothing of the ${what} ${key}`)
  return note
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

/** A paragraph in lines of at most 120 characters. */
function wrap(paragraph: string): string {
  const lines = ['']
  for (const word of paragraph.split(/\s+/)) {
    const last = lines.length - 1
    const longer = lines[last] === '' ? word : `${lines[last]} ${word}`
    if (longer.length <= 120) lines[last] = longer
    else lines.push(word)
  }
  return lines.join('\n')
}
