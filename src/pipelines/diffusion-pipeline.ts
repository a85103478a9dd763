import { UnsupportedError } from '../core/errors'
import { type LoadOptions, loadStableDiffusion, openPipeline, type PipelineSource } from './load'
import { StableDiffusionPipeline } from './stable-diffusion'
import type { PipelineClass } from './stable-diffusion-base'
import { StableDiffusionImg2ImgPipeline } from './stable-diffusion-img2img'

/** The pipeline classes by the names that `model_index.json` uses. */
export const pipelines = { StableDiffusionPipeline, StableDiffusionImg2ImgPipeline }

/** Any pipeline that {@link DiffusionPipeline} loads. */
export type AnyPipeline = InstanceType<(typeof pipelines)[keyof typeof pipelines]>

/** Loads a repository as the pipeline that its `model_index.json` names (diffusers `DiffusionPipeline`). */
export const DiffusionPipeline = {
  /**
   * @param source - A local folder, a Hub repository's id or an opened `Repository`.
   * @throws UnsupportedError when latentkit has no such pipeline.
   * @throws NotFoundError when the folder, a component or a file is missing.
   */
  async fromPretrained(source: PipelineSource, options: LoadOptions = {}): Promise<AnyPipeline> {
    const { repository, index } = await openPipeline(source, options)
    const name = index._class_name
    if (typeof name !== 'string' || !Object.hasOwn(pipelines, name)) {
      const got = JSON.stringify(name) ?? 'nothing'
      const expected = Object.keys(pipelines).join(', ')
      throw new UnsupportedError('DiffusionPipeline', `no such pipeline: got ${got}, expected one of ${expected}`)
    }
    const Class: PipelineClass<AnyPipeline> = pipelines[name as keyof typeof pipelines]
    const { shared, scheduler } = await loadStableDiffusion(name, repository, { ...options, subfolder: undefined })
    return new Class(shared, scheduler)
  },
}
