import { element } from './dom'

const zone = element('drop', HTMLDivElement)
const file = element('file', HTMLInputElement)
const picture = element('start', HTMLImageElement)
const clear = element('clear', HTMLButtonElement)
const text = element('drop-text', HTMLSpanElement)
const strength = element('strength-field', HTMLDivElement)
const invitation = text.innerHTML

let chosen: Blob | undefined

/** The picture to start from. */
export function startPicture(): Blob | undefined {
  return chosen
}

/** Sets or removes the picture to start from. */
export function setStartPicture(blob?: Blob): void {
  if (picture.src) URL.revokeObjectURL(picture.src)
  chosen = blob
  for (const part of [picture, clear, strength]) part.hidden = !blob
  if (blob) {
    picture.src = URL.createObjectURL(blob)
    text.textContent = 'Starting from this picture. Choose, drop or paste another one.'
  } else {
    picture.removeAttribute('src')
    text.innerHTML = invitation
    file.value = ''
  }
}

/** Takes pictures that are chosen, dropped or pasted. */
export function prepareDropZone(): void {
  file.addEventListener('change', () => takeFirst(file.files))
  clear.addEventListener('click', () => {
    setStartPicture()
    file.focus()
  })
  zone.addEventListener('dragenter', () => zone.classList.add('over'))
  zone.addEventListener('dragleave', ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && zone.contains(relatedTarget))) zone.classList.remove('over')
  })
  // Dropped beside the zone, a picture would replace the page.
  for (const name of ['dragover', 'drop'] as const) document.addEventListener(name, (event) => event.preventDefault())
  document.addEventListener('drop', ({ dataTransfer }) => {
    zone.classList.remove('over')
    takeFirst(dataTransfer?.files)
  })
  document.addEventListener('paste', ({ clipboardData }) => takeFirst(clipboardData?.files))
}

function takeFirst(files: FileList | null | undefined): void {
  const image = [...(files ?? [])].find(({ type }) => type.startsWith('image/'))
  if (image) setStartPicture(image)
}
