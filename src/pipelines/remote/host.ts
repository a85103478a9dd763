import type { Tensor } from 'onnxruntime-common'
import { StateError } from '../../core/errors'
import { env } from '../../runtime/env'
import { schedulerFromConfig } from '../../schedulers'
import { type AnyPipeline, DiffusionPipeline, pipelines } from '../diffusion-pipeline'
import type { LoadOptions } from '../load'
import type { PipelineClass } from '../stable-diffusion-base'
import { type Drawing, HostCall } from './host-call'
import { pack, unpack } from './packing'
import type { ClientMessage, HostMessage, Loaded, Next, Port, Request, RunRequest } from './protocol'

/**
 * The side of the line that holds the pipelines: answers the requests of one client, until its thread ends.
 *
 * @param port - The line to the client.
 */
export function servePipelines(port: Port): void {
  const host = new Host(port)
  port.onMessage((message) => host.receive(message as ClientMessage))
}

class Host {
  private readonly loaded = new Map<number, AnyPipeline>()
  private readonly calls = new Map<number, HostCall>()

  constructor(private readonly port: Port) {}

  receive(message: ClientMessage): void {
    const { id } = message
    if (message.type === 'abort') this.calls.get(id)?.abort()
    else if (message.type === 'answer') this.calls.get(id)?.take(message.value)
    else void this.respond(id, message.request)
  }

  private async respond(id: number, request: Request): Promise<void> {
    // Memory that goes with the answer.
    const moved = new Set<ArrayBuffer>()
    try {
      const value = await this.handle(id, request, moved)
      this.send({ type: 'result', id, value }, moved)
    } catch (error) {
      this.send({ type: 'error', id, error: pack(error) })
    }
  }

  private handle(id: number, request: Request, moved: Set<ArrayBuffer>): Promise<unknown> | undefined {
    switch (request.kind) {
      case 'load':
        return this.load(id, request)
      case 'share':
        return this.share(request)
      case 'run':
        return this.run(id, request, moved)
      case 'stream':
        return this.begin(id, request, moved)
      case 'next':
        return this.calls.get(request.stream)?.next(moved)
      case 'return':
        return this.end(request.stream)
      case 'decode':
        return this.decode(request, moved)
      case 'dispose':
        return this.dispose(request.pipeline)
    }
  }

  private async load(id: number, request: Extract<Request, { kind: 'load' }>): Promise<Loaded> {
    const { pipeline, className, source, options, environment, scheduler } = request
    const call = new HostCall(this.send, id, options)
    this.calls.set(id, call)
    Object.assign(env, unpack(environment))
    const loader = className === 'DiffusionPipeline' ? DiffusionPipeline : classOf(className)
    try {
      const replaced = scheduler && { scheduler: schedulerFromConfig(scheduler) }
      const pipe: AnyPipeline = await loader.fromPretrained(source, { ...(call.options as LoadOptions), ...replaced })
      this.loaded.set(pipeline, pipe)
      return { className: (pipe.constructor as PipelineClass<AnyPipeline>).className, scheduler: pipe.scheduler.config }
    } finally {
      await this.end(id)
    }
  }

  private async share({ pipeline, from, className }: Extract<Request, { kind: 'share' }>): Promise<void> {
    const { shared, scheduler } = this.pipeline(from)
    this.loaded.set(pipeline, new (classOf(className))(shared, scheduler))
  }

  private async run(id: number, request: RunRequest, moved: Set<ArrayBuffer>): Promise<unknown> {
    try {
      const first = this.begin(id, request, moved)
      return await this.calls.get(id)?.drain(first, moved)
    } finally {
      await this.end(id)
    }
  }

  private async begin(id: number, request: RunRequest, moved: Set<ArrayBuffer>): Promise<Next> {
    const pipe = this.pipeline(request.pipeline)
    const call = new HostCall(this.send, id, request.options, request.listens)
    this.calls.set(id, call)
    pipe.scheduler = schedulerFromConfig(request.scheduler)
    return call.start(pipe as Drawing, moved)
  }

  private async end(id: number): Promise<void> {
    const call = this.calls.get(id)
    this.calls.delete(id)
    await call?.end()
  }

  private async decode(request: Extract<Request, { kind: 'decode' }>, moved: Set<ArrayBuffer>): Promise<unknown> {
    const images = await this.pipeline(request.pipeline).decodeLatents(unpack(request.latents) as Tensor)
    return pack(images, moved)
  }

  private async dispose(number: number): Promise<void> {
    const pipe = this.loaded.get(number)
    this.loaded.delete(number)
    await pipe?.dispose()
  }

  private pipeline(number: number): AnyPipeline {
    const pipe = this.loaded.get(number)
    if (!pipe) throw new StateError('pipeline', 'it was disposed of: load it again')
    return pipe
  }

  private readonly send = (message: HostMessage, moved: ReadonlySet<ArrayBuffer> = new Set()): void => {
    this.port.postMessage(message, [...moved])
  }
}

function classOf(name: string): PipelineClass<AnyPipeline> & Pick<typeof DiffusionPipeline, 'fromPretrained'> {
  return pipelines[name as keyof typeof pipelines]
}
