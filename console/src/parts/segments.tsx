interface SegmentsProps<Value extends string> {
  readonly label: string
  readonly values: readonly Value[]
  readonly current: Value
  readonly textOf: (value: Value) => string
  readonly onChoose: (value: Value) => void
  readonly disabled?: readonly Value[]
}

/** One of a few, all in sight. */
export function Segments<Value extends string>(props: SegmentsProps<Value>) {
  const { label, values, current, textOf, onChoose, disabled = [] } = props
  return (
    <div class="segments" role="group" aria-label={label}>
      {values.map((value) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === current}
          disabled={disabled.includes(value)}
          onClick={() => onChoose(value)}
        >
          {textOf(value)}
        </button>
      ))}
    </div>
  )
}
