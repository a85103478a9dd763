/** What a long operation tells about itself, through `onProgress`. */
export type ProgressEvent =
  /** A component is being loaded: `loaded` of `total` components are ready. */
  | { readonly kind: 'load'; readonly component: string; readonly loaded: number; readonly total: number }
  /** Bytes of a file are arriving; `total` is absent while the size is not known, `bytesPerSecond` while there is no rate. */
  | {
      readonly kind: 'download'
      readonly file: string
      readonly loaded: number
      readonly total?: number
      readonly bytesPerSecond?: number
    }
  /** `loaded` of `total` denoising steps are done. */
  | { readonly kind: 'step'; readonly loaded: number; readonly total: number }

/** Receives the progress of a long operation. It must not throw. */
export type ProgressListener = (event: ProgressEvent) => void
