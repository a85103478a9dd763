import { describe, expect, it } from 'vitest'
import { type PlanOptions, planModel, planPipeline } from '../../src/hub/plan'
import { findWeights } from '../../src/hub/weights'

const INDEX = {
  _class_name: 'StableDiffusionPipeline',
  _diffusers_version: '0.35.2',
  feature_extractor: ['transformers', 'CLIPImageProcessor'],
  safety_checker: ['stable_diffusion', 'StableDiffusionSafetyChecker'],
  image_encoder: [null, null],
  scheduler: ['diffusers', 'PNDMScheduler'],
  text_encoder: ['transformers', 'CLIPTextModel'],
  tokenizer: ['transformers', 'CLIPTokenizer'],
  unet: ['diffusers', 'UNet2DConditionModel'],
  vae: ['diffusers', 'AutoencoderKL'],
  requires_safety_checker: true,
}

/** What `stable-diffusion-v1-5/stable-diffusion-v1-5` holds. */
const SD15 = [
  '.gitattributes',
  'README.md',
  'feature_extractor/preprocessor_config.json',
  'model_index.json',
  'safety_checker/config.json',
  'safety_checker/model.fp16.safetensors',
  'safety_checker/model.safetensors',
  'safety_checker/pytorch_model.bin',
  'safety_checker/pytorch_model.fp16.bin',
  'scheduler/scheduler_config.json',
  'text_encoder/config.json',
  'text_encoder/model.fp16.safetensors',
  'text_encoder/model.safetensors',
  'text_encoder/pytorch_model.bin',
  'text_encoder/pytorch_model.fp16.bin',
  'tokenizer/merges.txt',
  'tokenizer/special_tokens_map.json',
  'tokenizer/tokenizer_config.json',
  'tokenizer/vocab.json',
  'unet/config.json',
  'unet/diffusion_pytorch_model.bin',
  'unet/diffusion_pytorch_model.fp16.bin',
  'unet/diffusion_pytorch_model.fp16.safetensors',
  'unet/diffusion_pytorch_model.non_ema.bin',
  'unet/diffusion_pytorch_model.non_ema.safetensors',
  'unet/diffusion_pytorch_model.safetensors',
  'v1-5-pruned-emaonly.ckpt',
  'v1-5-pruned-emaonly.safetensors',
  'v1-5-pruned.ckpt',
  'v1-5-pruned.safetensors',
  'v1-inference.yaml',
  'vae/config.json',
  'vae/diffusion_pytorch_model.bin',
  'vae/diffusion_pytorch_model.fp16.bin',
  'vae/diffusion_pytorch_model.fp16.safetensors',
  'vae/diffusion_pytorch_model.safetensors',
]
const SMALL = [
  'model_index.json',
  'scheduler/scheduler_config.json',
  'text_encoder/config.json',
  'tokenizer/merges.txt',
  'tokenizer/special_tokens_map.json',
  'tokenizer/tokenizer_config.json',
  'tokenizer/vocab.json',
  'unet/config.json',
  'vae/config.json',
]

function plan(listing: readonly string[], options?: PlanOptions, index: unknown = INDEX) {
  const { configs, weights, problems, lookedFor } = planPipeline(index, listing, options)
  return { configs: [...configs].sort(), weights: [...weights].sort(), problems, lookedFor }
}

describe('Stable Diffusion 1.5', () => {
  it('needs its plain safetensors and their configuration', () => {
    expect(plan(SD15)).toEqual({
      configs: SMALL,
      weights: [
        'text_encoder/model.safetensors',
        'unet/diffusion_pytorch_model.safetensors',
        'vae/diffusion_pytorch_model.safetensors',
      ],
      problems: [],
      lookedFor: [],
    })
  })

  it('in the variant fp16', () => {
    expect(plan(SD15, { variant: 'fp16' })).toEqual({
      configs: SMALL,
      weights: [
        'text_encoder/model.fp16.safetensors',
        'unet/diffusion_pytorch_model.fp16.safetensors',
        'vae/diffusion_pytorch_model.fp16.safetensors',
      ],
      problems: [],
      lookedFor: [],
    })
  })

  it('in a variant that only the UNet has: the others plain, as in diffusers', () => {
    const { weights, problems, lookedFor } = plan(SD15, { variant: 'non_ema' })
    expect(weights).toEqual([
      'text_encoder/model.safetensors',
      'unet/diffusion_pytorch_model.non_ema.safetensors',
      'vae/diffusion_pytorch_model.safetensors',
    ])
    expect(problems).toEqual([])
    expect(lookedFor).toEqual([
      'text_encoder/model.non_ema.safetensors',
      'vae/diffusion_pytorch_model.non_ema.safetensors',
    ])
  })

  it('in a variant that nothing has: a problem', () => {
    expect(plan(SD15, { variant: 'bf16' }).problems).toMatchObject([{ component: 'variant bf16' }])
  })

  it('only the components that are asked for', () => {
    const { configs, weights } = plan(SD15, { components: ['vae', 'safety_checker', 'image_encoder', 'none'] })
    expect(configs).toEqual(['model_index.json', 'safety_checker/config.json', 'vae/config.json'])
    expect(weights).toEqual(['safety_checker/model.safetensors', 'vae/diffusion_pytorch_model.safetensors'])
    expect(plan(SD15, { components: ['feature_extractor'] }).configs).toEqual([
      'feature_extractor/preprocessor_config.json',
      'model_index.json',
    ])
  })

  it('from a subfolder', () => {
    const inner = SD15.map((path) => `models/v1/${path}`)
    const { configs, weights, problems } = plan([...inner, ...SD15], { subfolder: 'models/v1' })
    expect(configs).toEqual(SMALL.map((path) => `models/v1/${path}`))
    expect(weights).toHaveLength(3)
    expect(weights.every((path) => path.startsWith('models/v1/'))).toBe(true)
    expect(problems).toEqual([])
  })

  it('small files come before the weights, model_index.json first', () => {
    expect(planPipeline(INDEX, SD15).configs[0]).toBe('model_index.json')
  })
})

describe('what is missing', () => {
  const without = (...paths: string[]) => plan(SD15.filter((path) => !paths.includes(path)))

  it.each([
    ['scheduler/scheduler_config.json', 'scheduler', ['scheduler/scheduler_config.json']],
    ['tokenizer/vocab.json', 'tokenizer', ['tokenizer/vocab.json']],
    ['unet/config.json', 'unet', ['unet/config.json']],
  ])('%s: a problem that names it', (path, component, missing) => {
    const { problems, weights } = without(path)
    expect(problems).toMatchObject([{ component, missing }])
    expect(problems[0].reason).toContain(path)
    expect(weights.some((weight) => weight.startsWith(component))).toBe(false)
  })

  it('a tokenizer may have tokenizer.json alone', () => {
    const listing = SD15.filter((path) => !/vocab|merges/.test(path))
    const { configs, problems } = plan([...listing, 'tokenizer/tokenizer.json'])
    expect(problems).toEqual([])
    expect(configs).toContain('tokenizer/tokenizer.json')
  })

  it('a whole component', () => {
    const { problems } = plan(SD15.filter((path) => !path.startsWith('vae/')))
    expect(problems).toMatchObject([
      { component: 'vae', missing: ['vae/config.json', 'vae/diffusion_pytorch_model.safetensors'] },
    ])
  })
})

describe('the weights of a model', () => {
  const find = (names: readonly string[], variant?: string, library = 'diffusers') =>
    findWeights('unet/', names, variant, library)

  it.each([
    [
      'plain shards',
      undefined,
      'diffusion_pytorch_model-%.safetensors',
      'diffusion_pytorch_model.safetensors.index.json',
    ],
    [
      'shards of a variant',
      'fp16',
      'diffusion_pytorch_model.fp16-%.safetensors',
      'diffusion_pytorch_model.safetensors.index.fp16.json',
    ],
    [
      'older shards of a variant',
      'fp16',
      'diffusion_pytorch_model-%.fp16.safetensors',
      'diffusion_pytorch_model.safetensors.fp16.index.json',
    ],
    ['shards of transformers', undefined, 'model-%.safetensors', 'model.safetensors.index.json'],
  ])('%s, with their index', (_, variant, form, index) => {
    const shards = ['00001-of-00003', '00002-of-00003', '00003-of-00003'].map((number) => form.replace('%', number))
    const weights = find([...shards.toReversed(), index, 'config.json'], variant)
    expect(weights).toEqual({
      format: 'safetensors',
      files: shards.map((shard) => `unet/${shard}`),
      index: `unet/${index}`,
      lookedFor: [],
    })
    expect(find([shards[0], shards[2], index], variant)).toMatchObject({ missing: [`unet/${shards[1]}`] })
    expect(find(shards, variant)).toMatchObject({ missing: [`unet/${index}`] })
    expect('reason' in find([index], variant)).toBe(true)
  })

  it('one file is taken before shards, and not both', () => {
    const names = [
      'diffusion_pytorch_model.safetensors',
      'diffusion_pytorch_model-00001-of-00001.safetensors',
      'diffusion_pytorch_model.safetensors.index.json',
    ]
    expect(find(names)).toMatchObject({ files: ['unet/diffusion_pytorch_model.safetensors'] })
  })

  it.each([
    ['diffusers', 'diffusion_pytorch_model.safetensors'],
    ['transformers', 'model.safetensors'],
  ])('the name that %s uses is taken before the other', (library, name) => {
    const names = ['model.safetensors', 'diffusion_pytorch_model.safetensors']
    expect(find(names, undefined, library)).toMatchObject({ files: [`unet/${name}`] })
  })

  it('a variant in shards is taken before plain weights in one file', () => {
    const names = [
      'diffusion_pytorch_model.safetensors',
      'diffusion_pytorch_model.fp16-00001-of-00001.safetensors',
      'diffusion_pytorch_model.safetensors.index.fp16.json',
    ]
    expect(find(names, 'fp16')).toMatchObject({
      files: ['unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors'],
    })
  })

  it.each([
    [
      ['diffusion_pytorch_model.bin', 'diffusion_flax_model.msgpack'],
      /only diffusion_pytorch_model\.bin, diffusion_flax_model\.msgpack/,
    ],
    [
      ['diffusion_pytorch_model.fp16.safetensors', 'diffusion_pytorch_model.ema.safetensors'],
      /variant: 'fp16' or variant: 'ema'/,
    ],
    [[], /no \.safetensors weights$/],
    [['README.md'], /no \.safetensors weights$/],
    [['other.safetensors'], /no \.safetensors weights$/],
  ])('of %j: why not', (names, reason) => {
    expect(find(names)).toMatchObject({ reason: expect.stringMatching(reason) })
  })
})

describe('an ONNX export', () => {
  const find = (names: readonly string[], variant?: string) => findWeights('unet/', names, variant, 'optimum')

  it.each([
    ['nothing', []],
    ['the usual file', ['model.onnx_data']],
    ['weights.pb', ['weights.pb']],
    ['model.onnx.data', ['model.onnx.data']],
    ['a file of another ending', ['unet.weights']],
    ['a file a tensor', ['conv_in.weight', 'onnx__MatMul_1234', 'time_embedding.linear_1.bias']],
    ['several parts', ['model.onnx_data', 'model.onnx_data_1', 'model.onnx_data_2']],
  ])('with %s as external data', (_, data) => {
    const names = ['config.json', 'model.onnx', ...data, 'README.md', '.gitattributes', 'diffusion_pytorch_model.bin']
    expect(find(names)).toEqual({
      format: 'onnx',
      files: ['unet/model.onnx', ...data.map((name) => `unet/${name}`)],
      lookedFor: ['unet/diffusion_pytorch_model.safetensors'],
    })
  })

  it('beside others, whose data stay where they are', () => {
    const names = ['model.onnx', 'model.onnx_data', 'model_fp16.onnx', 'model_fp16.onnx_data', 'model_quantized.onnx']
    expect(find(names)).toMatchObject({ files: ['unet/model.onnx', 'unet/model.onnx_data'] })
  })

  it('of a variant', () => {
    const names = ['model.onnx', 'model.onnx_data', 'model.fp16.onnx', 'model.fp16.onnx_data']
    expect(find(names, 'fp16')).toMatchObject({ files: ['unet/model.fp16.onnx', 'unet/model.fp16.onnx_data'] })
    expect(find(names)).toMatchObject({ files: ['unet/model.onnx', 'unet/model.onnx_data'] })
  })

  it('is not taken where there are safetensors', () => {
    const names = ['model.onnx', 'model.onnx_data', 'diffusion_pytorch_model.safetensors']
    expect(find(names)).toMatchObject({ format: 'safetensors', files: ['unet/diffusion_pytorch_model.safetensors'] })
  })

  it('of an older exporter has no config.json, and its parts are components of their own', () => {
    const parts = ['text_encoder', 'unet', 'vae_decoder', 'vae_encoder']
    const index = {
      _class_name: 'OnnxStableDiffusionPipeline',
      ...Object.fromEntries(parts.map((part) => [part, ['diffusers', 'OnnxRuntimeModel']])),
      scheduler: ['diffusers', 'PNDMScheduler'],
    }
    const listing = [
      'model_index.json',
      'scheduler/scheduler_config.json',
      ...parts.map((part) => `${part}/model.onnx`),
      'unet/weights.pb',
    ]
    const { configs, weights, problems } = plan(listing, {}, index)
    expect(problems).toEqual([])
    expect(configs).toEqual(['model_index.json', 'scheduler/scheduler_config.json'])
    expect(weights).toEqual([...parts.map((part) => `${part}/model.onnx`), 'unet/weights.pb'].sort())
  })
})

describe('a model that is a repository of its own', () => {
  const listing = [
    'README.md',
    'config.json',
    'diffusion_pytorch_model.bin',
    'diffusion_pytorch_model.safetensors',
    'old/config.json',
    'old/model.safetensors',
  ]

  it('at the root', () => {
    expect(planModel(listing)).toMatchObject({
      configs: ['config.json'],
      weights: { files: ['diffusion_pytorch_model.safetensors'] },
    })
  })

  it('in a folder', () => {
    expect(planModel(listing, { subfolder: 'old' })).toMatchObject({
      configs: ['old/config.json'],
      weights: { files: ['old/model.safetensors'] },
    })
  })

  it('that is none', () => {
    expect(planModel(['README.md'])).toMatchObject({ missing: ['config.json', 'diffusion_pytorch_model.safetensors'] })
  })
})
