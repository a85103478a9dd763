import { describe, expect, it } from 'vitest'
import type { ProgressEvent } from '../../src/core/progress'
import { DownloadProgress } from '../../src/hub/rate'
import { delay, parseRetryAfter, retryWait, TransientError } from '../../src/hub/retry'

const policy = { retries: 5, retryDelay: 100 }

describe('the wait before another attempt', () => {
  it('doubles, with jitter of up to a half, and stays below ten seconds', () => {
    for (let failures = 1; failures < 30; failures++) {
      const full = Math.min(100 * 2 ** (failures - 1), 10_000)
      for (let i = 0; i < 20; i++) {
        const wait = retryWait(policy, failures, new TransientError('busy')) ?? Number.NaN
        expect(wait).toBeGreaterThanOrEqual(full / 2)
        expect(wait).toBeLessThanOrEqual(full)
      }
    }
  })

  it('is what the server asks for, unless that is too long', () => {
    expect(retryWait(policy, 1, new TransientError('busy', { retryAfter: 0 }))).toBe(0)
    expect(retryWait(policy, 4, new TransientError('busy', { retryAfter: 30_000 }))).toBe(30_000)
    expect(retryWait(policy, 1, new TransientError('busy', { retryAfter: 3_600_000 }))).toBeUndefined()
  })

  it('is read from seconds or a date', () => {
    const now = Date.parse('2026-01-01T00:00:00Z')
    expect(parseRetryAfter('7', now)).toBe(7000)
    expect(parseRetryAfter('0', now)).toBe(0)
    expect(parseRetryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000)
    expect(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0)
    expect(parseRetryAfter('-5', now)).toBe(0)
    for (const header of [null, '', 'soon']) expect(parseRetryAfter(header, now)).toBeUndefined()
  })

  it('ends at once when the caller gives up', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const waiting = delay(60_000, controller.signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(delay(60_000, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})

describe('the rate', () => {
  it('counts what arrived since the attempt began, not what was there', async () => {
    const events: (ProgressEvent & { kind: 'download' })[] = []
    const progress = new DownloadProgress('a', 1000, (event) => event.kind === 'download' && events.push(event))
    progress.start(900)
    await delay(20)
    progress.update(1000)
    expect(events.map((event) => event.loaded)).toEqual([900, 1000])
    expect(events[0].bytesPerSecond).toBeUndefined()
    // 100 bytes in 20 ms or more.
    expect(events[1].bytesPerSecond).toBeLessThanOrEqual(100 / 0.019)
  })
})
