import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InvalidArgumentError } from '../../src/core/errors'
import { formatParameters, parseParameters } from '../../src/formats/parameters'

const info = {
  prompt: 'a red star',
  negativePrompt: 'blurry',
  steps: 20,
  sampler: 'Euler a',
  guidanceScale: 7.5,
  seed: 965400086n,
  width: 512,
  height: 768,
  model: 'tiny-shapes',
  strength: 0.75,
}

describe('formatParameters', () => {
  test('writes what the web UI of AUTOMATIC1111 writes', () => {
    expect(formatParameters({ ...info, other: { 'Clip skip': '2' } })).toBe(
      [
        'a red star',
        'Negative prompt: blurry',
        'Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 965400086, Size: 512x768, Model: tiny-shapes, ' +
          'Denoising strength: 0.75, Clip skip: 2',
      ].join('\n'),
    )
  })

  test('leaves out what is not given', () => {
    expect(formatParameters({ prompt: 'p', negativePrompt: '', steps: 1, width: 8 })).toBe('p\nSteps: 1')
    expect(formatParameters({ prompt: 'p' })).toBe('p')
  })

  test('quotes values that would be taken apart', () => {
    const other = { Styles: 'a, b', Note: 'x: "y"\nz', Name: '"q"', Plain: 'a "b"', Empty: '' }
    expect(formatParameters({ prompt: '', other })).toBe(
      '\nStyles: "a, b", Note: "x: \\"y\\"\\nz", Name: "\\"q\\"", Plain: a "b", Empty: ""',
    )
  })

  test.each(['', 'x', ' ab', '/ab', 'a:b', 'a,b', 'a\nb'])('refuses the name %j', (key) => {
    expect(() => formatParameters({ prompt: '', other: { [key]: '1' } })).toThrow(InvalidArgumentError)
  })
})

describe('parseParameters', () => {
  test("reads another tool's text", () => {
    const text = `girl with an artist's beret, (((blue eyes))), steps: many
second line
Negative prompt: ugly, [blurry],
bad anatomy
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 965400086, Size: 512x512, Model hash: 45dee52b, Model: v1-5: pruned, Lora hashes: "a: 1, b: 2", Version: v1.6.0`
    expect(parseParameters(text)).toEqual({
      prompt: "girl with an artist's beret, (((blue eyes))), steps: many\nsecond line",
      negativePrompt: 'ugly, [blurry],\nbad anatomy',
      steps: 20,
      sampler: 'DPM++ 2M Karras',
      guidanceScale: 7,
      seed: 965400086n,
      width: 512,
      height: 512,
      model: 'v1-5: pruned',
      other: { 'Model hash': '45dee52b', 'Lora hashes': 'a: 1, b: 2', Version: 'v1.6.0' },
    })
  })

  test('a last line with fewer than three settings belongs to the prompt, as in the web UI', () => {
    expect(parseParameters('a cat: black, dog: white')).toEqual({ prompt: 'a cat: black, dog: white' })
    expect(parseParameters('')).toEqual({ prompt: '' })
  })

  test('settings without a prompt, broken quotes and broken numbers', () => {
    expect(parseParameters('Steps: many, Seed: 1.5, Size: big, Note: "open, CFG scale: 1e1')).toEqual({
      prompt: '',
      guidanceScale: 10,
      other: { Steps: 'many', Seed: '1.5', Size: 'big', Note: '"open' },
    })
  })

  test('gives back what formatParameters was given', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 })
    const lines = fc
      .array(fc.oneof(text, fc.constantFrom('', 'Steps: 1, Sampler: x, Seed: 2', 'a: "b', ' x ')))
      .map((parts) => parts.join('\n'))
    const noMarker = lines.filter((prompt) => !/(^|\n)\s*Negative prompt:/.test(prompt))
    const name = fc.stringMatching(/^[\p{L}\d_][\p{L}\d_ \-/]+$/u).map((key) => `x ${key}`)
    fc.assert(
      fc.property(
        fc.record(
          {
            prompt: noMarker,
            negativePrompt: lines.filter((prompt) => prompt !== ''),
            steps: fc.integer({ min: 1 }),
            sampler: text,
            guidanceScale: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
            seed: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
            model: text,
            strength: fc.double({ min: 0.01, max: 1, noNaN: true }),
          },
          { requiredKeys: ['prompt', 'steps', 'sampler', 'guidanceScale'] },
        ),
        fc.constantFrom({}, { width: 512, height: 8 }),
        fc.dictionary(name, text, { minKeys: 1 }),
        (settings, size, other) => {
          const given = { ...settings, ...size, other: { ...other } }
          expect(parseParameters(formatParameters(given))).toEqual(given)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('long hostile lines take linear time', () => {
    for (const unit of ['a', ':', 'a:', '\n', '"', 'ab: "', 'ab: "\\", ', ',', ' ', 'ab ', '\\"']) {
      const text = unit.repeat(2_000_000 / unit.length)
      // Quadratic time would be hours.
      expect(parseParameters(text)).toHaveProperty('prompt')
      expect(parseParameters(`ab: ${text}`)).toHaveProperty('prompt')
    }
  })
})
