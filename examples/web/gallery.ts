import type { RawImage } from 'latentkit'
import { element } from './dom'
import { describe, type Settings } from './settings'

/** A picture that was drawn in this session. */
export interface Picture {
  readonly image: RawImage
  /** The PNG file. */
  readonly file: Blob
  readonly address: string
  readonly settings: Settings
}

const list = element('gallery', HTMLUListElement)
const empty = element('gallery-empty', HTMLParagraphElement)

/** Puts a picture in front of the others. */
export async function addToGallery(
  image: RawImage,
  settings: Settings,
  onChoose: (picture: Picture) => void,
): Promise<Picture> {
  const file = await image.toBlob()
  const picture = { image, file, address: URL.createObjectURL(file), settings }
  const button = document.createElement('button')
  button.type = 'button'
  button.title = describe(settings)
  button.append(Object.assign(new Image(), { src: picture.address, alt: describe(settings) }))
  button.addEventListener('click', () => {
    markCurrent(button)
    onChoose(picture)
  })
  const item = document.createElement('li')
  item.append(button)
  list.prepend(item)
  empty.hidden = true
  markCurrent(button)
  return picture
}

/** The name under which a picture is saved. */
export function fileName({ prompt, seed }: Settings): string {
  const words = prompt.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '')
  return `${words.slice(0, 60) || 'picture'}-${seed}.png`
}

function markCurrent(button: HTMLButtonElement): void {
  list.querySelector('[aria-current]')?.removeAttribute('aria-current')
  button.setAttribute('aria-current', 'true')
}
