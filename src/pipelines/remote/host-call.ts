import { Generator } from '../../core/generator'
import type { ProgressEvent } from '../../core/progress'
import type { StepListener } from '../denoise'
import type { PipelineOutput, PipelineStep } from '../stable-diffusion-base'
import { pack, unpack } from './packing'
import type { HostMessage, Next } from './protocol'

/** What the host needs of a pipeline, whatever its class. */
export interface Drawing {
  stream(options: object): AsyncGenerator<PipelineStep, PipelineOutput, undefined>
}

/** One call in the thread that draws; its listeners are in the caller's thread. */
export class HostCall {
  /** The caller's options, with listeners that send messages. */
  readonly options: object
  private readonly controller = new AbortController()
  private readonly generators: readonly Generator[]
  private steps?: ReturnType<Drawing['stream']>
  private answer?: (value: unknown) => void

  /**
   * @param send - Sends to the caller.
   * @param id - The call's number.
   * @param packed - The caller's options.
   * @param listens - Whether the caller has an `onStepEnd`.
   */
  constructor(
    private readonly send: (message: HostMessage) => void,
    private readonly id: number,
    packed: unknown,
    listens = false,
  ) {
    const options = unpack(packed) as { readonly generator?: unknown }
    this.generators = [options.generator].flat().filter((each) => each instanceof Generator)
    this.options = {
      ...options,
      signal: this.controller.signal,
      onProgress: (event: ProgressEvent) => send({ type: 'progress', id, event }),
      ...(listens && { onStepEnd: this.onStepEnd }),
    }
  }

  /** Takes the first step; the pipeline's scheduler may change after this. */
  start(pipe: Drawing, moved: Set<ArrayBuffer>): Promise<Next> {
    this.steps = pipe.stream(this.options)
    return this.next(moved)
  }

  /**
   * The next step, or the output after the last one.
   *
   * @param moved - Collects the memory of the output, which is not used here any more.
   */
  async next(moved: Set<ArrayBuffer>): Promise<Next> {
    const next = await this.steps?.next()
    if (!next || next.done) return { done: true, value: pack(next?.value, moved) }
    const { preview: _, ...step } = next.value
    // Denoising goes on from these latents: they are copied.
    return { done: false, value: pack(step) }
  }

  /** Takes all steps that are left, and gives the output. */
  async drain(first: Promise<Next>, moved: Set<ArrayBuffer>): Promise<unknown> {
    for (let next = await first; ; next = await this.next(moved)) {
      if (next.done) return next.value
      // Messages, such as one that ends the call, come in between two steps: not every runtime leaves a gap.
      await new Promise((resolve) => setTimeout(resolve))
    }
  }

  /** Stops at the next step. Nobody will answer `onStepEnd` any more. */
  abort(): void {
    this.controller.abort()
    this.answer?.(undefined)
  }

  /** Takes what the caller's `onStepEnd` returned. */
  take(value: unknown): void {
    this.answer?.(unpack(value))
  }

  /** Releases what the run holds, and tells the caller how far its generators have come. */
  async end(): Promise<void> {
    await this.steps?.return({ images: [] })
    if (this.generators.length === 0) return
    this.send({ type: 'generators', id: this.id, states: this.generators.map((generator) => generator.getState()) })
  }

  private readonly onStepEnd: StepListener = (step) => {
    const answer = new Promise<Awaited<ReturnType<StepListener>>>((resolve) => {
      this.answer = (value) => resolve(value as Awaited<ReturnType<StepListener>>)
    })
    this.send({ type: 'step', id: this.id, step: pack(step) })
    return answer
  }
}
