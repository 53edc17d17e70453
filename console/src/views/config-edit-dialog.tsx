import { useState } from 'preact/hooks'
import { type ConfigDocument, type ConfigValue, configApi } from '../api/config-api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { RuleFields } from './config-rule-fields.tsx'
import { Refusal, SignatureFields, useSignature } from './config-signature.tsx'
import { typedLabels, typedValue, valueText } from './config-text.ts'

export interface EditedValue {
  /** Empty: a new one. */
  readonly key: string
  readonly value?: ConfigValue
}

interface ConfigEditDialogProps {
  readonly document: ConfigDocument
  readonly instance: string
  readonly edited: EditedValue
  readonly onClose: () => void
  readonly onDone: () => void
}

/** Sets one value, only if nobody has made another version in the meantime; on wish for some instances first. */
export function ConfigEditDialog(props: ConfigEditDialogProps) {
  const { document, instance, edited, onClose, onDone } = props
  const wasSecret = edited.value?.isSecret === true
  // The version at the moment of the question: the page goes on reading.
  const [version] = useState(document.latest)
  const [key, setKey] = useState(edited.key)
  const [text, setText] = useState(wasSecret ? '' : valueText(edited.value))
  const [isSecret, setSecret] = useState(wasSecret)
  const [isStaged, setStaged] = useState(false)
  const [share, setShare] = useState(10)
  const [labels, setLabels] = useState('')
  const [failed, setFailed] = useState<unknown>()
  const signature = useSignature()
  const match = typedLabels(labels)
  const canStage = !isStaged || (match !== undefined && (share > 0 || labels.trim() !== ''))
  const save = async () => {
    const rule = labels.trim() === '' ? { share } : { share, match: match ?? {} }
    try {
      await configApi.change(document.scope, {
        set: { [key]: typedValue(text) },
        ...(isSecret ? { secret: [key] } : {}),
        ...(instance === '' ? {} : { instance }),
        ...(isStaged ? { release: rule } : {}),
        ...signature.sign(version),
      })
    } catch (error) {
      setFailed(error)
      return
    }
    say('ok', { key: 'config.saved', values: { key } })
    onClose()
    onDone()
  }
  return (
    <Dialog
      title={t(edited.key === '' ? 'config.addTitle' : 'config.editTitle', {
        scope: instance || document.scope,
      })}
      confirmText={t('config.save')}
      canConfirm={key !== '' && text !== '' && signature.isWhole && canStage}
      onConfirm={() => void save()}
      onClose={onClose}
    >
      <Field label={t('config.key')} value={key} onInput={setKey} isMonospace readOnly={edited.key !== ''} />
      <ValueField value={text} isSecret={isSecret} onInput={setText} />
      <p class="dim">{t(isSecret ? 'config.secretMeaning' : 'config.valueMeaning')}</p>
      <div class="config-checks">
        <Check label={t('config.secret')} value={isSecret} isFixed={wasSecret} onChange={setSecret} />
        <Check label={t('config.inStages')} value={isStaged} onChange={setStaged} />
      </div>
      {isStaged ? <RuleFields share={share} labels={labels} onShare={setShare} onLabels={setLabels} /> : null}
      <SignatureFields state={signature} />
      <Refusal error={failed} />
    </Dialog>
  )
}

interface ValueFieldProps {
  readonly value: string
  readonly isSecret: boolean
  readonly onInput: (value: string) => void
}

function ValueField({ value, isSecret, onInput }: ValueFieldProps) {
  if (isSecret) return <SecretField value={value} onInput={onInput} />
  return (
    <div class="config-value">
      <Field label={t('config.value')} value={value} onInput={onInput} isLong />
    </div>
  )
}

function SecretField({
  value,
  onInput,
}: {
  readonly value: string
  readonly onInput: (value: string) => void
}) {
  return (
    <label class="field">
      <span>{t('config.value')}</span>
      <input
        type="password"
        autocomplete="new-password"
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  )
}

interface CheckProps {
  readonly label: string
  readonly value: boolean
  readonly isFixed?: boolean
  readonly onChange: (value: boolean) => void
}

function Check({ label, value, isFixed = false, onChange }: CheckProps) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={value}
        disabled={isFixed}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      {label}
    </label>
  )
}
