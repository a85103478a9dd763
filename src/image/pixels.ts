import { Tensor } from 'onnxruntime-common'
import { InvalidArgumentError } from '../core/errors'
import { concatBatch, float32Data, float32Tensor } from '../core/tensor'
import { type ImageSource, RawImage } from './raw-image'

const PART = 'image'

/** Images as a pipeline takes them: anything that {@link RawImage.read} reads, a list of it, or a batch. */
export type ImageInput = ImageSource | readonly ImageSource[] | Tensor

/** The size that images get before a network sees them. */
export interface PreprocessOptions {
  /** Pixels; unless given, the images' own. Rounded down to a multiple of `vaeScaleFactor`. */
  readonly height?: number
  /** Pixels; unless given, the images' own. Rounded down to a multiple of `vaeScaleFactor`. */
  readonly width?: number
  /** Pixels a side for one latent pixel. */
  readonly vaeScaleFactor: number
}

/**
 * Reads what a pipeline was given as images; a tensor stays one.
 *
 * @throws InvalidArgumentError for an empty list or something that is no image.
 */
export async function readImages(
  input: ImageInput,
  options: { readonly signal?: AbortSignal } = {},
): Promise<RawImage[] | Tensor> {
  if (isTensor(input)) return input
  const sources = isList(input) ? input : [input]
  if (sources.length === 0) throw new InvalidArgumentError(PART, 'the list of images is empty: expected at least one')
  return Promise.all(sources.map((source) => RawImage.read(source, options)))
}

/**
 * Images as the VAE's encoder takes them: float32 `[batch, 3, height, width]` in [-1, 1]. It is diffusers'
 * `VaeImageProcessor.preprocess`: images become RGB and are resized with Lanczos, tensors with the nearest value.
 *
 * @param images - Images, all of one size unless height and width are given, or a tensor `[batch, 3, height, width]` in
 *   [0, 1]; one with negative values is taken to be in [-1, 1] already, as diffusers takes it.
 * @throws InvalidArgumentError for other shapes, sizes and values.
 */
export function preprocess(images: readonly RawImage[] | Tensor, options: PreprocessOptions): Tensor {
  const batch = isTensor(images) ? resizeTensor(images, 3, options) : toBatch(images, 'RGB', options)
  const values = float32Data(batch, 'the images')
  const lowest = checkRange(values)
  if (lowest < 0) return batch
  return float32Tensor(
    batch.dims,
    values.map((value) => 2 * value - 1),
  )
}

/**
 * Masks as inpainting takes them: float32 `[batch, 1, height, width]`, 1 (from half brightness on) where the picture is
 * made anew and 0 elsewhere. It is diffusers' mask processor: resized with Lanczos, then made grayscale, then cut at
 * 0.5.
 *
 * @param masks - Images, all of one size unless height and width are given, or a tensor `[batch, 1, height, width]` in
 *   [0, 1].
 * @throws InvalidArgumentError for other shapes, sizes and values.
 */
export function preprocessMask(masks: readonly RawImage[] | Tensor, options: PreprocessOptions): Tensor {
  const batch = isTensor(masks) ? resizeTensor(masks, 1, options) : toBatch(masks, 'L', options)
  const values = float32Data(batch, 'the masks')
  checkRange(values)
  return float32Tensor(
    batch.dims,
    values.map((value) => (value < 0.5 ? 0 : 1)),
  )
}

/** A decoded batch in [-1, 1] as a batch in [0, 1], clamped: diffusers' `denormalize`. */
export function denormalize(batch: Tensor): Tensor {
  const values = float32Data(batch, 'the decoded images')
  return float32Tensor(
    batch.dims,
    values.map((value) => Math.min(Math.max(value / 2 + 0.5, 0), 1)),
  )
}

/** A decoded batch `[batch, channels, height, width]` in [-1, 1] as images: diffusers' `postprocess`. */
export function postprocess(batch: Tensor): RawImage[] {
  return RawImage.fromTensor(denormalize(batch))
}

function toBatch(images: readonly RawImage[], mode: 'RGB' | 'L', options: PreprocessOptions): Tensor {
  if (!Array.isArray(images) || images.length === 0 || images.some((image) => !(image instanceof RawImage))) {
    throw new InvalidArgumentError(PART, 'not images: expected RawImages or a tensor [batch, channels, height, width]')
  }
  const [first] = images
  const other = images.find(({ width, height }) => width !== first.width || height !== first.height)
  if (other && (options.width === undefined || options.height === undefined)) {
    throw new InvalidArgumentError(
      PART,
      `the images differ in size: got ${first.width}x${first.height} and ${other.width}x${other.height}, expected one size, or height and width`,
    )
  }
  const { width, height } = targetSize(first.width, first.height, options)
  return concatBatch(
    images.map((image) => {
      // Alpha goes first, as in diffusers' load_image: with it the resize would blend. Grayscale comes last.
      const opaque = image.convert(image.channels > 2 ? 'RGB' : 'L')
      return opaque.resize(width, height).convert(mode).toTensor()
    }),
  )
}

/** `torch.nn.functional.interpolate` with its default, the nearest value. */
function resizeTensor(batch: Tensor, channels: number, options: PreprocessOptions): Tensor {
  const [count, got, fromHeight, fromWidth] = batch.dims
  if (batch.dims.length !== 4 || got !== channels || batch.size === 0) {
    throw new InvalidArgumentError(
      PART,
      `the tensor has the wrong shape: got [${batch.dims.join(', ')}], expected [batch, ${channels}, height, width]`,
    )
  }
  const { width, height } = targetSize(fromWidth, fromHeight, options)
  if (width === fromWidth && height === fromHeight) return batch
  const values = float32Data(batch, 'the images')
  const rows = nearestPlaces(fromHeight, height)
  const columns = nearestPlaces(fromWidth, width)
  const out = new Float32Array(count * channels * height * width)
  let target = 0
  for (let plane = 0; plane < count * channels; plane++) {
    for (const row of rows) {
      const start = (plane * fromHeight + row) * fromWidth
      for (const column of columns) out[target++] = values[start + column]
    }
  }
  return float32Tensor([count, channels, height, width], out)
}

// PyTorch computes the places in float32.
function nearestPlaces(from: number, to: number): number[] {
  const scale = Math.fround(from / to)
  return Array.from({ length: to }, (_, i) => Math.min(Math.floor(Math.fround(i * scale)), from - 1))
}

function targetSize(ownWidth: number, ownHeight: number, options: PreprocessOptions) {
  const { width = ownWidth, height = ownHeight, vaeScaleFactor } = options
  const down = (side: number) => side - (side % vaeScaleFactor)
  if (!(down(width) >= 1 && down(height) >= 1)) {
    throw new InvalidArgumentError(
      PART,
      `the images are too small: got ${width}x${height}, expected at least ${vaeScaleFactor}x${vaeScaleFactor}`,
    )
  }
  return { width: down(width), height: down(height) }
}

/** The lowest value. Beyond [-1, 1] there is some room, for filters that overshoot, but none for 0 to 255. */
function checkRange(values: Float32Array): number {
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    if (Number.isNaN(value)) throw new InvalidArgumentError(PART, 'the images hold NaN: expected values in [0, 1]')
    if (value < lowest) lowest = value
    if (value > highest) highest = value
  }
  if (lowest < -2 || highest > 2) {
    throw new InvalidArgumentError(
      PART,
      `the images have the wrong range: got ${lowest} to ${highest}, expected [0, 1], or [-1, 1] with negative values`,
    )
  }
  return lowest
}

// `instanceof` alone does not narrow: the class is an interface and a factory of typed tensors.
function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor
}

function isList(input: ImageSource | readonly ImageSource[]): input is readonly ImageSource[] {
  return Array.isArray(input)
}
