import { listStored, removeStored } from 'latentkit'
import { element, formatBytes } from './dom'

const list = element('stored', HTMLUListElement)

/** Shows which models the browser stores, with a button to remove each. */
export async function showStored(): Promise<void> {
  const models = await listStored()
  list.replaceChildren(
    ...models.map(({ name, size }) => {
      const text = document.createElement('span')
      text.textContent = `${name.replace(document.baseURI, '').replace(/\/$/, '')}: ${formatBytes(size)} stored`
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Remove' })
      button.setAttribute('aria-label', `Remove ${name} from this browser`)
      button.addEventListener('click', async () => {
        await removeStored(name)
        await showStored()
      })
      const item = document.createElement('li')
      item.append(text, button)
      return item
    }),
  )
}
