import { gateways, health, isSupervised, locks, services, snapshot } from '../live/live-state.ts'
import { type View, view, views } from '../route.ts'
import { formatCount } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

export function Navigation() {
  return (
    <nav class="side" aria-label={t('app.navigation')}>
      <ul>
        {views.filter(isShown).map((each) => (
          <li key={each}>
            <a href={`#/${each}`} aria-current={view.value === each ? 'page' : undefined}>
              {t(`nav.${each}`)}
              <span class="tally">{tallyOf(each)}</span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}

/** Faults are for clusters that a supervisor on this machine runs. */
function isShown(each: View): boolean {
  return each !== 'faults' || isSupervised.value
}

function tallyOf(each: View): string {
  const now = snapshot.value
  if (now === undefined) return ''
  const count = (value: number) => (value === 0 ? '' : formatCount(value, locale.value))
  switch (each) {
    case 'overview':
      return count(health.value?.problems.length ?? 0)
    case 'health':
      return count(now.findings.length)
    case 'members':
      return count(now.cluster.members.length)
    case 'groups':
      return count(Math.max(0, ...now.cluster.members.map(({ status }) => status?.groups.copies ?? 0)))
    case 'keys':
      return count(Math.max(0, ...now.cluster.members.map(({ status }) => status?.keys ?? 0)))
    case 'locks':
      return count(locks.value.length)
    case 'services':
      return count(services.value.length)
    case 'traffic':
      return count(gateways.value.reduce((sum, { stats }) => sum + (stats?.metrics.sessions ?? 0), 0))
    case 'config':
    case 'schedules':
    case 'faults':
      return ''
  }
}
