import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { optionNotes, paperTitles } from '../../docs/build/scheduler-notes'
import { schedulerPages } from '../../docs/build/scheduler-pages'
import { schedulers } from '../../src/schedulers'

const folder = new URL('../../docs/schedulers/', import.meta.url)
const pages = schedulerPages()

describe('the docs of the schedulers', () => {
  // When one is stale: npm run docs:schedulers
  it.each([...pages])('are up to date in %s', (file, text) => {
    expect(readFileSync(new URL(file, folder), 'utf8')).toBe(text)
  })

  it('have a page for every scheduler, and no page of a scheduler that is gone', () => {
    const expected = [...Object.keys(schedulers).map((name) => `${name}.md`), 'README.md', 'names.md']
    expect(readdirSync(folder).sort()).toEqual(expected.sort())
  })

  it('explain no option that is gone, and name no paper in vain', () => {
    const options = new Set(Object.values(schedulers).flatMap((Class) => Object.keys(Class.options)))
    expect(Object.keys(optionNotes).filter((name) => !options.has(name))).toEqual([])
    const text = [...pages.values()].join()
    expect(Object.keys(paperTitles).filter((number) => !text.includes(number))).toEqual([])
  })
})
