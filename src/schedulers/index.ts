export { type SchedulerName, schedulerClass, schedulerFromConfig, schedulers } from './from-config'
export * from './registry'
export type { ScheduleOptions, StepOptions, StepResult } from './run'
export { Scheduler, type SchedulerClass } from './scheduler'
