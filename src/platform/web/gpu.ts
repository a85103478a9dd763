import { DeviceLostError, RuntimeError } from '../../core/errors'

const PART = 'webgpu'

/** ONNX Runtime's attention reads eight lanes of a subgroup: with fewer it computes nonsense, without subgroups it is right. */
const FEWEST_LANES = 8

/** A WebGPU device, and whether it is still there. */
export class Gpu {
  private loss?: DeviceLostError
  private readonly whenLost: Promise<never>

  constructor(readonly device: GPUDevice) {
    this.whenLost = device.lost.then(({ reason, message }) => {
      this.loss = new DeviceLostError(
        PART,
        `the GPU device was lost (${reason}${message && `: ${message}`}): run again to load the weights anew`,
      )
      throw this.loss
    })
    // A loss while nothing runs is found by the next run.
    this.whenLost.catch(() => undefined)
  }

  /** Whether what was on the device is gone. */
  get isLost(): boolean {
    return this.loss !== undefined
  }

  /**
   * The result of `work`, which uses the device.
   *
   * @throws DeviceLostError as soon as the device is lost: `work` may then never end, or end with nonsense.
   */
  async guard<T>(work: Promise<T>): Promise<T> {
    // What becomes of it after a loss is nobody's concern.
    work.catch(() => undefined)
    const result = await Promise.race([work, this.whenLost]).catch(async (error: unknown) => {
      // Errors that a loss causes can come before the news of it.
      await new Promise((resolve) => setTimeout(resolve))
      throw this.loss ?? error
    })
    if (this.loss) throw this.loss
    return result
  }
}

/** The adapter that the page would use, or `undefined` where there is none. */
export async function requestAdapter(): Promise<GPUAdapter | undefined> {
  try {
    return (await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' })) ?? undefined
  } catch {
    return undefined
  }
}

let current: Promise<Gpu> | undefined

/**
 * The page's device, or a new one when it was lost. It has the adapter's own limits: the defaults of WebGPU are too small
 * for the weights and activations of a diffusion model.
 *
 * @throws RuntimeError where there is no WebGPU.
 */
export async function acquireGpu(): Promise<Gpu> {
  const known = await current?.catch(() => undefined)
  if (known && !known.isLost) return known
  current = requestGpu()
  return current
}

async function requestGpu(): Promise<Gpu> {
  const adapter = await requestAdapter()
  if (!adapter) {
    throw new RuntimeError(
      PART,
      'there is no GPU adapter: WebGPU needs a page on https or localhost, a browser that has it, and a driver that the browser trusts; the device `wasm` works anywhere',
    )
  }
  const features = (['shader-f16', 'subgroups'] as const).filter((feature) => adapter.features.has(feature))
  const lanes = adapter.info.subgroupMinSize ?? 0
  const requiredLimits: Record<string, number> = {}
  for (const name in adapter.limits) requiredLimits[name] = adapter.limits[name as keyof GPUSupportedLimits] as number
  try {
    const requiredFeatures = features.filter((feature) => feature !== 'subgroups' || lanes >= FEWEST_LANES)
    return new Gpu(await adapter.requestDevice({ requiredFeatures, requiredLimits }))
  } catch (cause) {
    throw new RuntimeError(PART, `the adapter gave no device: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}
