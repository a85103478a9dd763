import { env } from '../../runtime/env'

/** What relative addresses start from: `env.baseUrl`, else the page, or in a worker its script. */
export function baseUrl(): string | undefined {
  return env.baseUrl ?? globalThis.document?.baseURI ?? globalThis.location?.href
}

/** An address relative to the page. */
export function pageUrl(address: string | URL): URL {
  return new URL(address, baseUrl())
}
