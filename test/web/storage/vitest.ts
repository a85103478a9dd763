// What a contract suite needs of Vitest, for running it in a page: the same `expect`, and tests that wait in a list.
import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)

export const { expect } = chai

type Test = (...args: never[]) => unknown

/** The tests by name. */
export const tests = new Map<string, () => unknown>()

export function describe(_name: string, define: () => void): void {
  define()
}

export function it(name: string, test: () => unknown): void {
  tests.set(name, test)
}

it.each = (cases: readonly unknown[]) => (name: string, test: Test) => {
  for (const each of cases) {
    const args = (Array.isArray(each) ? each : [each]) as never[]
    it(name.replace('%s', String(args[0])), () => test(...args))
  }
}
