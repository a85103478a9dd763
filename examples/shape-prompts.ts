/** A filled shape on a coloured background, as tiny-shapes knows them. */
export interface ShapePrompt {
  readonly shape: string
  readonly color: string
  readonly background: string
}

/** Eight filled shapes, and on each line one of each; every color is twice a shape's and twice a background's. */
const shapes = ['circle', 'square', 'triangle', 'star', 'heart', 'diamond', 'cross', 'hexagon']
const colors = `
  red/yellow  blue/white purple/green yellow/blue  pink/black   cyan/purple  white/red   orange/gray
  green/pink  black/cyan orange/black black/orange red/green    brown/yellow gray/pink   blue/orange
  white/brown pink/gray  gray/cyan    cyan/red     green/purple purple/brown brown/white yellow/blue
`

/** The 24 prompts of the sheet in the README: a test checks the colors of their pictures. */
export const shapePrompts: readonly ShapePrompt[] = colors
  .trim()
  .split(/\s+/)
  .map((pair, i) => {
    const [color, background] = pair.split('/')
    return { shape: shapes[i % shapes.length], color, background }
  })

/** The prompt as a text. */
export function promptText({ shape, color, background }: ShapePrompt): string {
  const article = /^[aeiou]/.test(color) ? 'an' : 'a'
  return `${article} ${color} ${shape} on ${/^[aeiou]/.test(background) ? 'an' : 'a'} ${background} background`
}
