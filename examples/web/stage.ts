import type { RawImage } from 'latentkit'
import { element, formatTime } from './dom'

const canvas = element('canvas', HTMLCanvasElement)
const caption = document.getElementById('caption')
const bar = element('bar', HTMLProgressElement)
const status = element('status', HTMLSpanElement)
const left = element('left', HTMLSpanElement)
const error = element('error', HTMLParagraphElement)

/** Paints a picture, and says what it is. */
export function paint(image: RawImage, label: string, text = ''): void {
  const { data, width, height } = image.toImageData()
  canvas.width = width
  canvas.height = height
  canvas.getContext('2d')?.putImageData(new ImageData(data, width, height), 0, 0)
  canvas.setAttribute('aria-label', label)
  if (caption) caption.textContent = text
}

/** Says what goes on; `share` is how much of it is done, absent: not known. */
export function say(text: string, share?: number): void {
  // Screen readers read what changes.
  if (status.textContent !== text) status.textContent = text
  if (share === undefined) bar.removeAttribute('value')
  else bar.value = share
}

/** Shows an error, or removes it. */
export function showError(message?: string): void {
  error.hidden = message === undefined
  error.textContent = message ?? ''
}

/** Says how long it will take, from how long it took so far; without arguments, nothing. */
export function showTimeLeft(done = 0, total = 0, seconds = 0): void {
  left.textContent = done === 0 ? '' : `step ${done} of ${total}, ${formatTime((seconds / done) * (total - done))} left`
}
