import { eventLog } from '../live/event-log.ts'
import { Badge } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { formatClock } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

const tones = { done: 'accent', seen: 'plain', failed: 'bad' } as const

/** What was done here and what was seen after it, newest first. */
export function FaultLog() {
  return (
    <Panel title={t('log.title')} note={t('log.note')}>
      <ol class="log" data-test="log">
        {eventLog.value.length === 0 ? <Empty text={t('log.none')} /> : null}
        {eventLog.value.map(({ id, atMs, kind, phrase }) => (
          <li key={id}>
            <span class="dim">{formatClock(atMs, locale.value)}</span>
            <span>
              <Badge tone={tones[kind]}>{t(`log.${kind}`)}</Badge>
            </span>
            <span>{t(phrase.key, phrase.values)}</span>
          </li>
        ))}
      </ol>
    </Panel>
  )
}
