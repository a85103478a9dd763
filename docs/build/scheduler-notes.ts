import type { SchedulerName } from '../../src/schedulers'

/** When to choose a class: what its doc comment, which says what it is, leaves to experience. */
export const whenToChoose: Readonly<Record<SchedulerName, string>> = {
  CosineDPMSolverMultistepScheduler:
    'For Stable Audio Open and models trained like it. Elsewhere its cosine timesteps do not fit.',
  DDIMScheduler:
    'When a picture must follow from its start alone, as for interpolation and inversion, or when a paper says DDIM. ' +
    'It needs 50 steps where DPM-Solver++ needs 20. With `eta` 1 it is DDPM with fewer steps.',
  DDIMInverseScheduler:
    'To find the noise that DDIM would make a given picture from, for editing: run it on the picture, then ' +
    'DDIMScheduler on what comes out, with as many steps or more.',
  DDPMScheduler:
    'For the original sampler, in 1000 steps, and for unconditional pixel-space models that learned their variance.',
  DEISMultistepScheduler: 'An alternative to DPM-Solver++ at 10 to 20 steps; on flow-matching models, too.',
  DPMSolverMultistepScheduler:
    'The first choice for Stable Diffusion: good pictures in 20 steps, best with `useKarrasSigmas`. Order 2 for guided ' +
    'sampling, 3 without guidance: as published it converges at order 2 like the other, and with `sde-dpmsolver++` at ' +
    'order 1. The `sde-` algorithms give livelier detail for a few more steps, and pictures that change with the number ' +
    'of steps.',
  DPMSolverMultistepInverseScheduler:
    'As DDIMInverseScheduler, with fewer steps for the same accuracy; the way back is DPMSolverMultistepScheduler.',
  DPMSolverSDEScheduler:
    'When noise should give detail, yet the composition should stay when the number of steps changes. Every step ' +
    'calls the network twice: 10 to 15 steps.',
  DPMSolverSinglestepScheduler:
    'Where the outputs of earlier steps mislead, as with strong guidance or thresholding; else the multistep form is ' +
    'as good at the same cost. Take a number of steps that `solverOrder` divides.',
  EDMDPMSolverMultistepScheduler: 'The first choice for EDM models, such as Playground 2.5 and CosXL: 20 steps.',
  EDMEulerScheduler: 'For EDM models when the simplest method should be used, or with churn, at 30 steps and more.',
  EulerAncestralDiscreteScheduler:
    'For soft, varied pictures in 20 to 40 steps. They never settle: another number of steps is another picture. Also ' +
    'for SDXL Turbo in 1 to 4 steps.',
  EulerDiscreteScheduler:
    'The default of SDXL and of Stable Video Diffusion, at 25 to 50 steps: predictable, and forgiving of unusual ' +
    'models and schedules. With `timestepSpacing` `trailing` for distilled models such as SDXL Lightning.',
  FlowMatchEulerDiscreteScheduler:
    'The sampler of flow-matching models such as Stable Diffusion 3 and Flux: 28 to 50 steps, or 4 for distilled ones.',
  FlowMatchHeunDiscreteScheduler:
    'For flow-matching models when accuracy matters more than time: two network calls a step.',
  FlowMatchLCMScheduler: 'For flow-matching models that were distilled for a few steps, and for scale-wise generation.',
  HeunDiscreteScheduler:
    'When 20 to 30 calls of the network should follow the exact path closely; every step is two calls.',
  IPNDMScheduler:
    'For models trained on v prediction with continuous times, such as Dance Diffusion. Not for Stable Diffusion.',
  KDPM2AncestralDiscreteScheduler: 'As EulerAncestralDiscreteScheduler, more exact for twice the network calls.',
  KDPM2DiscreteScheduler: 'As HeunDiscreteScheduler: second order for two network calls a step.',
  LCMScheduler: 'With an LCM model or an LCM LoRA only: 4 to 8 steps with a guidance of 1 to 2.',
  LMSDiscreteScheduler:
    'When pictures of early Stable Diffusion tools are to be made again (`k_lms`); today DPM-Solver++ does it in half the steps.',
  PNDMScheduler:
    'The default of Stable Diffusion 1: 50 steps, with `skipPrkSteps`. For the same pictures as its first release.',
  RePaintScheduler:
    'To inpaint with a model that was never trained to, when time is plentiful: the repeated steps make some ten times ' +
    'as many network calls.',
  SASolverScheduler:
    'For stochastic sampling with control over how much noise comes when (`tauFunc`), at 20 steps and more.',
  TCDScheduler:
    'With a TCD LoRA only: 4 to 20 steps. `eta` sets the detail: lower for few steps, 0.3 for most, up to 1 for many.',
  UniPCMultistepScheduler:
    'When steps are scarce: 5 to 10 give what other solvers give in 10 to 20. Order 2 for guided sampling, 3 without.',
}

/** What the options do, by their names: one means the same in every class. */
export const optionNotes: Readonly<Record<string, string>> = {
  algorithmType:
    'Which equation is solved, and in what: the picture (`++`, `data_prediction`) or the noise; `sde-` adds fresh noise.',
  baseImageSeqLen: 'The number of image tokens at which pipelines shift by `baseShift`.',
  baseShift: 'The `mu` that pipelines take for the smallest pictures.',
  betaEnd: 'How much noise the last training step added.',
  betaSchedule: 'How the noise grew in between.',
  betaStart: 'How much noise the first training step added.',
  clipSample: 'Clips the expected picture to ±`clipSampleRange`; for pixel-space models.',
  clipSampleRange: 'The largest value that clipping leaves.',
  correctorOrder: 'The order of the corrector.',
  disableCorrector: 'The steps, by number, after which the corrector is left out.',
  dynamicThresholdingRatio: 'The share of values that thresholding leaves unclipped.',
  eta: 'The share of fresh noise: 0 is DDIM, 1 is DDPM.',
  eulerAtFinal: 'Makes the last step one of first order: steadier, at times blurrier.',
  finalSigmasType: 'Where the last step goes: to no noise, or to the lowest noise level.',
  flowShift: 'How far the times of a flow are shifted towards noise.',
  interpolationType: 'How noise levels lie between those of the training.',
  invertSigmas: 'Counts noise levels from 0 up to 1, as Mochi does.',
  lambdaMinClipped: 'The lowest log(α/σ) that is visited; −5.1 keeps cosine schedules stable.',
  lowerOrderFinal: 'Lowers the order in the last steps of runs under 15 steps, which keeps them stable.',
  maxImageSeqLen: 'The number of image tokens at which pipelines shift by `maxShift`.',
  maxShift: 'The `mu` that pipelines take for the largest pictures.',
  noiseSamplerSeed: "The seed of the noise; null takes that of the step's generator.",
  numTrainTimesteps: 'How many timesteps the training had.',
  originalInferenceSteps: 'How many steps the model was distilled with; null takes all of the training.',
  predictX0: 'Solves for the picture instead of the noise.',
  predictionType: 'What the network was trained to predict.',
  predictorOrder: 'The order of the predictor.',
  rescaleBetasZeroSnr:
    'Moves the last training timestep to pure noise ([2305.08891](https://arxiv.org/abs/2305.08891)).',
  rho: "How far Karras' noise levels crowd at the low end.",
  sampleMaxValue: 'The largest threshold.',
  scaleFactors: 'By how much the picture has grown after each step.',
  setAlphaToOne: 'Lets the last step go to no noise, instead of to timestep 0.',
  shift: 'How far noise levels are shifted towards noise; larger pictures need more.',
  shiftTerminal: 'Where the last noise level lies: the others are stretched to it.',
  sigmaData: 'The standard deviation of the data.',
  sigmaMax: "The highest noise level; null takes the schedule's.",
  sigmaMin: "The lowest noise level; null takes the schedule's.",
  sigmaSchedule: 'How the noise levels are spread.',
  skipPrkSteps: 'Starts without Runge–Kutta steps, which is PLMS.',
  solverOrder: 'The order of the method: the outputs that a step uses.',
  solverType: 'The form of the second order.',
  stepsOffset: 'Added to every timestep of `leading` spacing; Stable Diffusion needs 1.',
  stochasticSampling: 'Jumps to the picture and adds fresh noise, instead of following the flow.',
  tauFunc: 'How much fresh noise a timestep gets, as a function; null is 1 from 200 to 800, else 0.',
  thresholding:
    'Clips the expected picture to a quantile of its values; for pixel-space models ([2205.11487](https://arxiv.org/abs/2205.11487)).',
  timeShiftType: 'Whether `mu` is the logarithm of the shift or the shift itself.',
  timestepScaling: 'How fast the boundary condition leaves the picture alone towards timestep 0.',
  timestepSpacing: 'Which training timesteps a run visits (table 2 of [2305.08891](https://arxiv.org/abs/2305.08891)).',
  timestepType: 'Whether the network sees training timesteps or, with v prediction, the noise level.',
  trainedBetas: 'The noise of every training step, in place of a schedule.',
  upscaleMode: 'How the picture is resized, as in `torch.nn.functional.interpolate`.',
  useBetaSigmas: 'Spreads noise levels as a beta distribution ([2407.12173](https://arxiv.org/abs/2407.12173)).',
  useDynamicShifting: 'Takes the shift of a run from `mu`, which depends on the size of the picture.',
  useExponentialSigmas: 'Spreads noise levels evenly in log σ.',
  useFlowSigmas: 'Follows a flow-matching model.',
  useKarrasSigmas: 'Spreads noise levels as Karras et al. do: more of them where there is little noise.',
  useLuLambdas: 'Spreads noise levels evenly in log(α/σ), as Lu et al. do.',
  varianceType:
    "Which variance fresh noise has, or that the network's output holds it in a second half of its channels.",
}

/** The titles of the papers that doc comments name, by their number on arXiv. */
export const paperTitles: Readonly<Record<string, string>> = {
  '2006.11239': 'Denoising Diffusion Probabilistic Models',
  '2010.02502': 'Denoising Diffusion Implicit Models',
  '2102.09672': 'Improved Denoising Diffusion Probabilistic Models',
  '2105.05233': 'Diffusion Models Beat GANs on Image Synthesis',
  '2201.09865': 'RePaint: Inpainting using Denoising Diffusion Probabilistic Models',
  '2202.09778': 'Pseudo Numerical Methods for Diffusion Models on Manifolds',
  '2204.13902': 'Fast Sampling of Diffusion Models with Exponential Integrator',
  '2206.00364': 'Elucidating the Design Space of Diffusion-Based Generative Models',
  '2206.00927': 'DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps',
  '2211.01095': 'DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models',
  '2211.09794': 'Null-text Inversion for Editing Real Images using Guided Diffusion Models',
  '2302.04867': 'UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models',
  '2309.05019': 'SA-Solver: Stochastic Adams Solver for Fast Sampling of Diffusion Models',
  '2310.04378': 'Latent Consistency Models: Synthesizing High-Resolution Images with Few-Step Inference',
  '2402.19159': 'Trajectory Consistency Distillation',
  '2403.03206': 'Scaling Rectified Flow Transformers for High-Resolution Image Synthesis',
  '2407.14358': 'Stable Audio Open',
  '2503.16397': 'Scale-wise Distillation of Diffusion Models',
}
