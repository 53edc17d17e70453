export const networkFaults = [
  'delay',
  'loss',
  'duplicate',
  'reorder',
  'partition',
  'one-way',
  'slow-link',
  'break',
] as const

export const processFaults = ['crash', 'restart', 'pause', 'block-loop', 'clock-drift', 'clock-step'] as const

export const diskFaults = [
  'torn-write',
  'lost-write',
  'write-error',
  'sync-error',
  'read-error',
  'disk-full',
  'bit-flip',
  'misdirected-write',
  'slow-disk',
  'disk-stall',
] as const

/** Every kind of fault that can be injected, by the name that `--faults` takes. */
export const faultClasses = [...networkFaults, ...processFaults, ...diskFaults] as const

export type FaultClass = (typeof faultClasses)[number]
