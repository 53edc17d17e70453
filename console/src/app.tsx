import type { ComponentType } from 'preact'
import { LinkBanner } from './parts/link-banner.tsx'
import { Header } from './parts/header.tsx'
import { Navigation } from './parts/navigation.tsx'
import { Toasts } from './parts/toasts.tsx'
import { type View, view } from './route.ts'
import { t } from './text/language.ts'
import { needsSignIn } from './live/login-state.ts'
import { ConfigView } from './views/config-view.tsx'
import { FaultsView } from './views/faults-view.tsx'
import { GroupsView } from './views/groups-view.tsx'
import { HealthView } from './views/health-view.tsx'
import { KeysView } from './views/keys-view.tsx'
import { LocksView } from './views/locks-view.tsx'
import { MembersView } from './views/members-view.tsx'
import { OverviewView } from './views/overview-view.tsx'
import { SchedulesView } from './views/schedules-view.tsx'
import { ServicesView } from './views/services-view.tsx'
import { SignInView } from './views/sign-in-view.tsx'
import { TrafficView } from './views/traffic-view.tsx'

const components: Readonly<Record<View, ComponentType>> = {
  overview: OverviewView,
  health: HealthView,
  members: MembersView,
  groups: GroupsView,
  keys: KeysView,
  locks: LocksView,
  schedules: SchedulesView,
  services: ServicesView,
  config: ConfigView,
  traffic: TrafficView,
  faults: FaultsView,
}

export function App() {
  if (needsSignIn.value) return <SignInView />
  const Current = components[view.value]
  return (
    <div class="frame">
      <a class="skip" href={`#/${view.value}`} onClick={focusMain}>
        {t('app.skip')}
      </a>
      <Header />
      <Navigation />
      <main class="main" id="main" tabIndex={-1}>
        <div class="view">
          <LinkBanner />
          <Current />
        </div>
      </main>
      <Toasts />
    </div>
  )
}

function focusMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main')?.focus()
}
