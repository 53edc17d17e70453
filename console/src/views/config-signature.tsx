import { useState } from 'preact/hooks'
import { ApiError } from '../api/client.ts'
import type { Signature } from '../api/config-api.ts'
import { user } from '../live/login-state.ts'
import { Field } from '../parts/field.tsx'
import { failurePhrase } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { operatorName, rememberOperator } from './operator-name.ts'

interface SignatureState {
  readonly author: string
  readonly message: string
  readonly isWhole: boolean
  setAuthor(author: string): void
  setMessage(message: string): void
  /** To send, on top of this version. */
  sign(expectedVersion: number): Signature
}

/** Who makes a change, and why. Who has signed in need not say who. */
export function useSignature(): SignatureState {
  const [author, setAuthor] = useState(operatorName)
  const [message, setMessage] = useState('')
  const isNamed = user.value !== ''
  return {
    author,
    message,
    isWhole: isNamed || author.trim() !== '',
    setAuthor,
    setMessage,
    sign: (expectedVersion) => {
      if (!isNamed) rememberOperator(author)
      return { expectedVersion, message: message.trim(), ...(isNamed ? {} : { author: author.trim() }) }
    },
  }
}

export function SignatureFields({ state }: { readonly state: SignatureState }) {
  return (
    <div class="config-pair">
      {user.value === '' ? (
        <Field label={t('config.author')} value={state.author} onInput={state.setAuthor} />
      ) : null}
      <Field label={t('config.message')} value={state.message} onInput={state.setMessage} />
    </div>
  )
}

interface Issue {
  readonly field: string
  readonly message: string
}

/** What the node said against a change: field by field, where it said so. */
export function Refusal({ error }: { readonly error: unknown }) {
  if (error === undefined) return null
  const issues =
    error instanceof ApiError ? (error.details['issues'] as readonly Issue[] | undefined) : undefined
  const phrase = failurePhrase(error)
  return (
    <div class="notice bad" role="alert">
      {issues === undefined ? (
        t(phrase.key, phrase.values)
      ) : (
        <>
          <strong>{t('config.refused')}</strong>
          <ul>
            {issues.map(({ field, message }) => (
              <li key={`${field} ${message}`} class="break" data-field={field}>
                <span class="mono">{field}</span> {message}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
