/** Every kind of fault that can be injected, by the name that `--faults` takes. */
export const faultClasses = [
  'delay',
  'loss',
  'duplicate',
  'reorder',
  'partition',
  'one-way',
  'slow-link',
  'break',
  'crash',
  'restart',
  'pause',
  'block-loop',
  'clock-drift',
  'clock-step',
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

export type FaultClass = (typeof faultClasses)[number]
