export { Tensor } from 'onnxruntime-common'
export * from './core/errors'
export type { FileSource, PrefetchOptions, Repository } from './core/file'
export { bytesSource } from './core/file'
export {
  type DrawOptions,
  Generator,
  type GeneratorOptions,
  type RandomAlgorithm,
  randnTensor,
} from './core/generator'
export type { Channels, Pixels } from './core/pixels'
export type { ProgressEvent, ProgressListener } from './core/progress'
export { formatParameters, type GenerationInfo, parseParameters } from './formats/parameters'
export {
  type RawTensor,
  type SafetensorsDtype,
  SafetensorsFile,
  type TensorInfo,
  writeSafetensors,
} from './formats/safetensors'
export type {
  BlobWriter,
  Cache,
  CachedRepository,
  CachedRevision,
  HubFile,
  VerifiedFile,
} from './hub/cache'
export * from './hub/errors'
export type { ComponentPlan, PipelinePlan, PlanOptions, PlanProblem } from './hub/plan'
export type { HubRepository, TransferOptions } from './hub/repository'
export type { Weights } from './hub/weights'
export type { Mode } from './image/modes'
export type { ImageInput } from './image/pixels'
export { type ImageSource, RawImage } from './image/raw-image'
export type { Resample } from './image/resample'
export { AutoencoderKL } from './models/autoencoder-kl'
export type { AutoencoderKLConfig } from './models/autoencoder-kl-config'
export {
  type CLIPTextConfig,
  CLIPTextModel,
  CLIPTextModelWithProjection,
  type CLIPTextOutput,
} from './models/clip-text'
export type { Autoencoder, Component, Denoiser, TextEncoder } from './models/components'
export type { DiagonalGaussian } from './models/diagonal-gaussian'
export type { DeviceOptions, ModelOptions } from './models/model'
export { type UNet2DConditionInput, UNet2DConditionModel } from './models/unet-2d-condition'
export type {
  ClassEmbedding,
  Level,
  LevelAttention,
  UNet2DConditionConfig,
} from './models/unet-2d-condition-config'
export type { CallOptions, OutputType } from './pipelines/call-options'
export type { ComponentSet, StableDiffusionComponents } from './pipelines/components'
export type { DenoisingStep, StepListener } from './pipelines/denoise'
export { type AnyPipeline, DiffusionPipeline } from './pipelines/diffusion-pipeline'
export type { LoadOptions, NetworkName, PerNetwork, PipelineSource } from './pipelines/load'
export type { PromptOptions } from './pipelines/prompts'
export { type StableDiffusionOptions, StableDiffusionPipeline } from './pipelines/stable-diffusion'
export type { PipelineOutput, PipelineStep, StableDiffusionBase } from './pipelines/stable-diffusion-base'
export {
  type StableDiffusionImg2ImgOptions,
  StableDiffusionImg2ImgPipeline,
} from './pipelines/stable-diffusion-img2img'
export type {
  Backend,
  ComputeType,
  Device,
  GraphSource,
  Session,
  SessionOptions,
  ValueInfo,
} from './runtime/backend'
export { type Environment, env, type RepositoryOptions } from './runtime/env'
export type { CodecType, ImageDataLike, ImagePlatform, ImageType } from './runtime/image-platform'
export * from './schedulers'
export { CLIPTokenizer, type TokenizedTexts, type TokenizeOptions } from './tokenizers/clip-tokenizer'
export type { ClipVocabulary } from './tokenizers/clip-vocabulary'
