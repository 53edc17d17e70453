import { useState } from 'preact/hooks'
import { basicAuthorization, signIn } from '../live/login-state.ts'
import { LanguageSwitch, ThemeSwitch } from '../parts/header.tsx'
import { Segments } from '../parts/segments.tsx'
import { failurePhrase } from '../parts/toasts.tsx'
import type { Phrase } from '../text/fill-in.ts'
import { t } from '../text/language.ts'

const ways = ['password', 'token'] as const

/** All there is to see until the node knows who asks. */
export function SignInView() {
  const [way, setWay] = useState<(typeof ways)[number]>('password')
  const [name, setName] = useState('')
  const [secret, setSecret] = useState('')
  const [failure, setFailure] = useState<Phrase>()
  const [isBusy, setBusy] = useState(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    setBusy(true)
    setFailure(undefined)
    try {
      await signIn(way === 'token' ? `Bearer ${secret.trim()}` : basicAuthorization(name.trim(), secret))
    } catch (error) {
      setFailure(failurePhrase(error))
      setBusy(false)
    }
  }
  const canSubmit = !isBusy && secret !== '' && (way === 'token' || name.trim() !== '')
  return (
    <main class="sign-in" id="main">
      <form class="panel sign-in-form" onSubmit={(event) => void submit(event)}>
        <div class="brand">
          <img src="/icon.svg" alt="" />
          Althing
        </div>
        <h1>{t('signIn.title')}</h1>
        <Segments
          label={t('signIn.way')}
          values={ways}
          current={way}
          textOf={(each) => t(`signIn.${each}`)}
          onChoose={setWay}
        />
        {way === 'token' ? null : (
          <SecretField label={t('signIn.user')} kind="text" value={name} onInput={setName} hint="username" />
        )}
        <SecretField
          label={t(way === 'token' ? 'signIn.token' : 'signIn.password')}
          kind="password"
          value={secret}
          onInput={setSecret}
          hint={way === 'token' ? 'off' : 'current-password'}
        />
        {failure === undefined ? null : (
          <div class="notice bad" role="alert">
            {t(failure.key, failure.values)}
          </div>
        )}
        <button class="button primary" type="submit" disabled={!canSubmit}>
          {t('signIn.in')}
        </button>
        <p class="dim">{t('signIn.about')}</p>
        <div class="button-row">
          <LanguageSwitch />
          <ThemeSwitch />
        </div>
      </form>
    </main>
  )
}

interface SecretFieldProps {
  readonly label: string
  readonly kind: 'text' | 'password'
  readonly value: string
  readonly onInput: (value: string) => void
  readonly hint: string
}

function SecretField({ label, kind, value, onInput, hint }: SecretFieldProps) {
  const shared = {
    value,
    autocomplete: hint,
    spellcheck: false,
    onInput: (event: { currentTarget: HTMLInputElement }) => onInput(event.currentTarget.value),
  }
  return (
    <label class="field">
      <span>{label}</span>
      {kind === 'password' ? <input type="password" {...shared} /> : <input type="text" {...shared} />}
    </label>
  )
}
