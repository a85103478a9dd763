/** An address relative to the page, or in a worker to its script. */
export function pageUrl(address: string | URL): URL {
  return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href)
}
