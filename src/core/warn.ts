/** Tells the developer about something that went on with less than was asked for. */
export function warn(part: string, message: string): void {
  console.warn(`[latentkit] [${part}] ${message}`)
}
