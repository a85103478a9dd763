import { type ProgressEvent, persistStorage } from 'latentkit'
import { element, formatBytes, formatTime } from './dom'
import { prepareDropZone, setStartPicture, startPicture } from './drop-zone'
import { bestDevice, draw, load } from './engine'
import { addToGallery, fileName, type Picture } from './gallery'
import { describe, prepareSettings, readSettings, restoreSettings, rollSeed, rollsSeed } from './settings'
import { paint, say, showError, showTimeLeft } from './stage'
import { showStored } from './stored'

const form = element('form', HTMLFormElement)
const drawButton = element('draw', HTMLButtonElement)
const stopButton = element('stop', HTMLButtonElement)
const loadButton = element('load', HTMLButtonElement)
const model = element('model', HTMLInputElement)
const live = element('live', HTMLInputElement)
const actions = element('result-actions', HTMLDivElement)
const download = element('download', HTMLAnchorElement)

/** What runs; one thing at a time. */
let running: AbortController | undefined
let shown: Picture | undefined

prepareSettings()
prepareDropZone()
form.addEventListener('submit', (event) => {
  event.preventDefault()
  void perform(drawPicture)
})
form.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  if (event.target === model) {
    event.preventDefault()
    void perform(loadModel)
  } else if (event.target instanceof HTMLTextAreaElement) {
    event.preventDefault()
    form.requestSubmit()
  }
})
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') running?.abort()
})
stopButton.addEventListener('click', () => running?.abort())
loadButton.addEventListener('click', () => void perform(loadModel))
element('again', HTMLButtonElement).addEventListener('click', () => setStartPicture(shown?.file))
void bestDevice().then((device) => {
  const threads = crossOriginIsolated ? navigator.hardwareConcurrency : 1
  const wasm = `WASM, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
  element('device', HTMLSpanElement).textContent = device === 'webgpu' ? 'WebGPU' : wasm
})
// On a touch screen the focus would open the keyboard.
if (matchMedia('(hover: hover)').matches) element('prompt', HTMLTextAreaElement).focus()
await showStored()
await perform(loadModel)

/** Runs one thing: with its buttons, until it ends, fails or is stopped. */
async function perform(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  if (running) return
  const controller = new AbortController()
  running = controller
  setBusy(true)
  showError()
  try {
    await work(controller.signal)
  } catch (error) {
    if (controller.signal.aborted) say('Stopped', 0)
    else {
      say('', 0)
      showError(error instanceof Error ? error.message.replace(/^(\[[^\]]*\] )+/, '') : String(error))
    }
  } finally {
    running = undefined
    showTimeLeft()
    setBusy(false)
  }
}

function setBusy(busy: boolean): void {
  // Who draws with the keyboard stays where they are: a button that is switched off would lose the focus.
  const hadFocus = document.activeElement
  stopButton.disabled = !busy
  drawButton.disabled = busy
  loadButton.disabled = busy
  if (busy && hadFocus === drawButton) stopButton.focus()
  if (!busy && hadFocus === stopButton) drawButton.focus()
}

async function loadModel(signal: AbortSignal): Promise<void> {
  const name = model.value.trim()
  say(`Loading ${name}`)
  await load(name, showLoading, signal)
  element('model-name', HTMLOutputElement).textContent = name
  say('Ready', 0)
  // A worker stores the model, but only a page can ask that it stays.
  void persistStorage()
  await showStored()
}

function showLoading(event: ProgressEvent): void {
  if (event.kind === 'load') {
    const isDone = event.loaded === event.total
    say(isDone ? 'Making the networks ready' : `Loading ${event.component.replace('_', ' ')}`)
  } else if (event.kind === 'download' && event.total) {
    const rate = event.bytesPerSecond ? `, ${formatBytes(event.bytesPerSecond)}/s` : ''
    say(`${event.file}: ${formatBytes(event.loaded)} of ${formatBytes(event.total)}${rate}`, event.loaded / event.total)
  }
}

async function drawPicture(signal: AbortSignal): Promise<void> {
  if (rollsSeed() && shown) rollSeed()
  const settings = readSettings(startPicture())
  await load(model.value.trim(), showLoading, signal)
  say('Drawing', 0)
  const begin = performance.now()
  const seconds = () => (performance.now() - begin) / 1000
  const image = await draw(settings, {
    signal,
    onStep(done, total) {
      say('Drawing', done / total)
      showTimeLeft(done, total, seconds())
    },
    ...(live.checked && { onPreview: (preview) => paint(preview, `Preview of: ${settings.prompt}`) }),
  })
  const time = formatTime(seconds())
  show(await addToGallery(image, settings, (picture) => choose(picture)))
  say(`Drawn in ${time}`, 1)
}

/** An earlier picture, with its settings. */
function choose(picture: Picture): void {
  if (running) return
  show(picture)
  restoreSettings(picture.settings)
}

function show(picture: Picture): void {
  shown = picture
  const { image, settings, address } = picture
  paint(image, `Picture of: ${settings.prompt}`, `${describe(settings)}, ${image.width} × ${image.height}`)
  download.href = address
  download.download = fileName(settings)
  actions.hidden = false
}
