import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseParameters, RawImage } from '../../src/node'
import { latentkit, start, temporaryFolder } from './latentkit'

const prompt = 'a red star on a blue background'
const quick = ['--steps', '2', '--guidance', '5', '--device', 'cpu']

describe('latentkit txt2img', () => {
  it('draws with the model of the package, and says where the picture is', async () => {
    const folder = temporaryFolder()
    const { status, stdout, stderr } = await latentkit(folder, 'txt2img', prompt, '--seed', '7', ...quick)
    expect(stderr).toMatch(/^tiny-shapes on cpu, ready after .* s\nseed 7: 128x128, 2 steps of PNDMScheduler/)
    const path = join(folder, 'a-red-star-on-a-blue-background-7.png')
    expect(stdout).toBe(`${path}\n`)
    expect(status).toBe(0)
    const { text } = await RawImage.read(path)
    expect(parseParameters(text.parameters)).toMatchObject({ prompt, seed: 7n, steps: 2, guidanceScale: 5 })
  })

  it('draws the same bytes from the same seed, and never replaces a file by itself', async () => {
    const folder = temporaryFolder()
    const args = ['txt2img', prompt, '--seed', '7', '--quiet', '--output', './', ...quick]
    const first = await latentkit(folder, ...args)
    const second = await latentkit(folder, ...args)
    expect([first.stderr, second.stderr]).toEqual(['', ''])
    const [one, two] = [first, second].map(({ stdout }) => stdout.trim())
    expect(two).toBe(one.replace('.png', '-2.png'))
    expect(readFileSync(two).equals(readFileSync(one))).toBe(true)
  })

  it('writes one JSON object to the standard output', async () => {
    const folder = temporaryFolder()
    const args = ['--count', '2', '--seed', '18446744073709551615', '--json', '--output', 'pictures/{index}-{seed}.png']
    const { status, stdout } = await latentkit(folder, 'txt2img', prompt, '--scheduler', 'euler a', ...args, ...quick)
    expect(status).toBe(0)
    const second = expect.any(Number)
    expect(JSON.parse(stdout)).toEqual({
      files: [
        {
          path: join(folder, 'pictures/1-18446744073709551615.png'),
          // Above 2^53 a number would lose digits.
          seed: '18446744073709551615',
          width: 128,
          height: 128,
          seconds: second,
        },
        { path: join(folder, 'pictures/2-0.png'), seed: 0, width: 128, height: 128, seconds: second },
      ],
      seed: '18446744073709551615',
      prompt,
      model: resolve('models/tiny-shapes'),
      device: 'cpu',
      scheduler: 'EulerAncestralDiscreteScheduler',
      steps: 2,
      guidance: 5,
      seconds: { load: second, total: second },
    })
  })

  it('takes a size, another scheduler, a negative prompt and less memory', async () => {
    const folder = temporaryFolder()
    const options = ['--width', '64', '--height', '96', '--scheduler', 'ddimscheduler', '--negative', 'a circle']
    const { status } = await latentkit(folder, 'txt2img', prompt, '-o', 'a.png', ...options, ...quick, '--low-memory')
    expect(status).toBe(0)
    const { text } = await RawImage.read(join(folder, 'a.png'))
    const expected = { width: 64, height: 96, sampler: 'DDIMScheduler', negativePrompt: 'a circle' }
    expect(parseParameters(text.parameters)).toMatchObject(expected)
  })

  it('stops at Ctrl-C: status 130, a message, no file', async () => {
    const folder = temporaryFolder()
    const { child, finished } = start(folder, ['txt2img', prompt, '--steps', '900', '--output', './'])
    child.stderr?.on('data', (text: string) => {
      if (text.includes('ready')) setTimeout(() => child.kill('SIGINT'), 300)
    })
    const { status, stdout, stderr } = await finished
    expect(stderr).toMatch(/ready after .*\nInterrupted\.\n$/)
    expect(status).toBe(130)
    expect(stdout).toBe('')
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('latentkit img2img', () => {
  it('starts from a picture, resized in proportion', async () => {
    const folder = temporaryFolder()
    const options = ['--init-img', resolve('test/fixtures/goldens/shapes/red-star.png'), '--strength', '1']
    const { status } = await latentkit(folder, 'img2img', prompt, ...options, '--width', '64', '-o', 'a.png', ...quick)
    expect(status).toBe(0)
    const { text } = await RawImage.read(join(folder, 'a.png'))
    expect(parseParameters(text.parameters)).toMatchObject({ width: 64, height: 64, strength: 1 })
  })
})

describe('what the command line refuses', () => {
  const wrong: [what: string, args: string[], message: string][] = [
    ['no command', [], 'Usage: latentkit'],
    ['an unknown command', ['txt2im', 'x'], "unknown command 'txt2im'\n(Did you mean txt2img?)"],
    ['an unknown option', ['txt2img', 'x', '--step', '3'], "unknown option '--step'\n(Did you mean --steps?)"],
    ['no prompt', ['txt2img'], "missing required argument 'prompt'"],
    ['a prompt without quotes', ['txt2img', 'a', 'star'], 'too many arguments'],
    ['no steps', ['txt2img', 'x', '--steps', '0'], "'0' is invalid. Expected a whole number, 1 or more."],
    ['a guidance of NaN', ['txt2img', 'x', '--guidance', 'NaN'], 'Expected a number from 0 to 1000.'],
    ['a negative seed', ['txt2img', 'x', '--seed', '-1'], 'Expected a whole number from 0 to 2^64 - 1.'],
    ['an unknown device', ['txt2img', 'x', '--device', 'tpu'], 'Allowed choices are auto, cpu, cuda'],
    [
      'an unknown scheduler',
      ['txt2img', 'x', '--scheduler', 'eulr a'],
      'got "eulr a", expected a name such as "euler a"',
    ],
    ['a file of another type', ['txt2img', 'x', '-o', 'x.gif'], 'expected a file name that ends in .png'],
    ['a width that no model has', ['txt2img', 'x', '--width', '100'], 'width: got 100, expected a positive multiple'],
    ['no picture', ['img2img', 'x'], "required option '--init-img <file>' not specified"],
    ['a strength above 1', ['img2img', 'x', '--strength', '1.1', '--init-img', 'x'], 'Expected a number from 0 to 1.'],
  ]
  // Nothing is written, so they need no folder of their own and may run side by side.
  it.concurrent.each(wrong)('%s: status 2', async (_, args, message) => {
    const { status, stdout, stderr } = await latentkit('test/cli', ...args)
    expect(stderr).toContain(message)
    expect(stderr).not.toMatch(/\n {4}at /)
    expect(stdout).toBe('')
    expect(status).toBe(2)
  })

  it('a file that is there already, unless --force is given', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'star.png'), 'mine')
    const args = ['txt2img', prompt, '--output', 'star.png', ...quick]
    const { status, stderr } = await latentkit(folder, ...args)
    expect(stderr).toContain('star.png is there already; --force replaces it')
    expect(status).toBe(2)
    expect(readFileSync(join(folder, 'star.png'), 'utf8')).toBe('mine')
    expect((await latentkit(folder, ...args, '--force')).status).toBe(0)
    expect(readdirSync(folder)).toEqual(['star.png'])
    expect((await RawImage.read(join(folder, 'star.png'))).width).toBe(128)
  })

  it('a model that is not there: status 1, and with --debug where it happened', async () => {
    const folder = temporaryFolder()
    const args = ['txt2img', 'x', '--model', './nothing']
    const { status, stderr } = await latentkit(folder, ...args)
    expect(stderr).toMatch(/^error: .*nothing.*\n$/)
    expect(status).toBe(1)
    expect((await latentkit(folder, ...args, '--debug')).stderr).toMatch(/\n {4}at /)
  })
})

describe('latentkit --help and --version', () => {
  it.each([['txt2img'], ['img2img']])('explains %s with examples', async (command) => {
    const { status, stdout } = await latentkit(temporaryFolder(), command, '--help')
    expect(status).toBe(0)
    expect(stdout).toContain(`$ latentkit ${command} "`)
    expect(stdout).toContain('--scheduler')
  })

  it('prints the version of the package', async () => {
    const { stdout } = await latentkit(temporaryFolder(), '--version')
    expect(stdout.trim()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version)
  })
})
