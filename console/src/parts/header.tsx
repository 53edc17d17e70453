import { health, linkState, selfId, snapshot } from '../live/live-state.ts'
import { signOut, user } from '../live/login-state.ts'
import { chooseLanguage, language, t } from '../text/language.ts'
import { chooseTheme, theme } from '../theme.ts'
import { Badge, type Tone } from './badge.tsx'

const linkTones = { connecting: 'warn', live: 'ok', stale: 'warn', lost: 'bad' } as const

/** Who we look at, through whom, and whether what is shown is of now. */
export function Header() {
  return (
    <header class="head">
      <div class="head-row">
        <a class="brand" href="#/overview">
          <img src="/icon.svg" alt="" />
          Althing
        </a>
        <Facts />
        <div class="head-tools">
          <span role="status">
            <Badge tone={linkTones[linkState.value]}>{t(`link.${linkState.value}`)}</Badge>
          </span>
          <SignedIn />
          <LanguageSwitch />
          <ThemeSwitch />
        </div>
      </div>
    </header>
  )
}

function Facts() {
  const cluster = snapshot.value?.cluster
  if (cluster === undefined) return <div class="head-facts" />
  const tone: Tone = linkState.value === 'live' ? (health.value?.level ?? 'plain') : 'plain'
  return (
    <div class="head-facts">
      <Badge tone={tone}>{cluster.clusterId}</Badge>
      <span class="optional">{selfId.value === 0 ? '' : t('app.servedBy', { node: selfId.value })}</span>
    </div>
  )
}

function SignedIn() {
  if (user.value === '') return null
  return (
    <>
      <span class="optional dim">{user.value}</span>
      <button class="button small" type="button" onClick={() => void signOut()}>
        {t('signIn.out')}
      </button>
    </>
  )
}

export function LanguageSwitch() {
  const other = language.value === 'en' ? 'zh' : 'en'
  return (
    <button
      class="button small"
      type="button"
      lang={other === 'zh' ? 'zh-CN' : 'en'}
      aria-label={other === 'zh' ? '切换到中文' : 'Switch to English'}
      onClick={() => chooseLanguage(other)}
    >
      {other === 'zh' ? '中文' : 'English'}
    </button>
  )
}

export function ThemeSwitch() {
  const other = theme.value === 'light' ? 'dark' : 'light'
  return (
    <button
      class="button small"
      type="button"
      aria-label={t(`theme.to.${other}`)}
      onClick={() => chooseTheme(other)}
    >
      {t(`theme.${other}`)}
    </button>
  )
}
