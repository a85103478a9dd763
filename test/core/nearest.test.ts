import { expect, it } from 'vitest'
import { nearest } from '../../src/core/nearest'

it('names the known words that are closest, best first', () => {
  const known = ['EulerDiscreteScheduler', 'EulerAncestralDiscreteScheduler', 'LCMScheduler', 'DDIMScheduler']
  expect(nearest('EulerScheduler', known, 1)).toEqual(['EulerDiscreteScheduler'])
  expect(nearest('ddimschedular', known, 1)).toEqual(['DDIMScheduler'])
  expect(nearest('karas', ['beta', 'karras', 'lu'], 2)[0]).toBe('karras')
  expect(nearest('x', [])).toEqual([])
})
