import { element } from './dom'

/** What a picture is drawn with. */
export interface Settings {
  readonly prompt: string
  readonly negativePrompt: string
  readonly scheduler: string
  readonly steps: number
  readonly guidance: number
  readonly seed: number
  /** Pixels; absent: the model's own size. */
  readonly width?: number
  readonly height?: number
  /** The picture to start from. */
  readonly start?: Blob
  /** Share of it that is made anew. */
  readonly strength: number
}

const schedulers = [
  'DPM++ 2M',
  'DPM++ 2M Karras',
  'DPM++ 2M SDE Karras',
  'DPM++ SDE Karras',
  'Euler',
  'Euler a',
  'Heun',
  'UniPC',
  'DEIS',
  'DDIM',
  'DDPM',
  'PNDM',
  'LCM',
]

const sizes = ['128 × 128', '192 × 128', '128 × 192', '256 × 256', '512 × 512', '768 × 512', '512 × 768', '768 × 768']

const fields = {
  prompt: element('prompt', HTMLTextAreaElement),
  negative: element('negative', HTMLInputElement),
  scheduler: element('scheduler', HTMLSelectElement),
  size: element('size', HTMLSelectElement),
  steps: element('steps', HTMLInputElement),
  guidance: element('guidance', HTMLInputElement),
  strength: element('strength', HTMLInputElement),
  seed: element('seed', HTMLInputElement),
  roll: element('roll', HTMLInputElement),
}

/** Fills the lists, and lets the numbers beside the sliders follow them. */
export function prepareSettings(): void {
  fields.scheduler.append(...schedulers.map((name) => new Option(name)))
  fields.size.append(new Option("The model's own", ''), ...sizes.map((size) => new Option(size)))
  for (const slider of [fields.steps, fields.guidance, fields.strength]) {
    slider.addEventListener('input', () => showValue(slider))
    showValue(slider)
  }
  element('dice', HTMLButtonElement).addEventListener('click', rollSeed)
  // A seed that is typed in is meant to stay.
  fields.seed.addEventListener('input', () => {
    fields.roll.checked = false
  })
}

/** Draws another seed. */
export function rollSeed(): void {
  fields.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0])
}

/** What the form says now; `start` comes from elsewhere. */
export function readSettings(start?: Blob): Settings {
  const [width, height] = fields.size.value.split(' × ').map(Number)
  return {
    prompt: fields.prompt.value.trim(),
    negativePrompt: fields.negative.value.trim(),
    scheduler: fields.scheduler.value,
    steps: fields.steps.valueAsNumber,
    guidance: fields.guidance.valueAsNumber,
    seed: fields.seed.valueAsNumber,
    ...(height !== undefined && { width, height }),
    start,
    strength: fields.strength.valueAsNumber,
  }
}

/** Whether each picture is to have a new seed. */
export function rollsSeed(): boolean {
  return fields.roll.checked
}

/** The settings of an earlier picture, back in the form. */
export function restoreSettings(settings: Settings): void {
  fields.prompt.value = settings.prompt
  fields.negative.value = settings.negativePrompt
  fields.scheduler.value = settings.scheduler
  fields.size.value = settings.width === undefined ? '' : `${settings.width} × ${settings.height}`
  fields.seed.value = String(settings.seed)
  fields.roll.checked = false
  for (const name of ['steps', 'guidance', 'strength'] as const) {
    fields[name].value = String(settings[name])
    showValue(fields[name])
  }
}

/** One line about how a picture was made. */
export function describe({ prompt, scheduler, steps, guidance, seed, start, strength }: Settings): string {
  const parts = [`${steps} steps of ${scheduler}`, `guidance ${guidance}`, `seed ${seed}`]
  if (start) parts.push(`strength ${strength}`)
  return `“${prompt}”, ${parts.join(', ')}`
}

function showValue(slider: HTMLInputElement): void {
  const output = document.querySelector(`output[for="${slider.id}"]`)
  if (output) output.textContent = slider.value
}
