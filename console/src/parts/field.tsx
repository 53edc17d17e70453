interface FieldProps {
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly isMonospace?: boolean
  readonly placeholder?: string
  readonly isLong?: boolean
  readonly readOnly?: boolean
}

export function Field(props: FieldProps) {
  const { label, value, onInput, isMonospace = false, placeholder, isLong = false, readOnly = false } = props
  const shared = {
    value,
    placeholder,
    readOnly,
    spellcheck: false,
    autocomplete: 'off',
    class: isMonospace ? 'mono' : undefined,
    onInput: (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
      onInput(event.currentTarget.value),
  }
  return (
    <label class="field">
      <span>{label}</span>
      {isLong ? <textarea {...shared} /> : <input type="text" {...shared} />}
    </label>
  )
}
