import { useCallback, useState } from 'preact/hooks'
import { type ConfigDocument, type HistoryItem, configApi } from '../api/config-api.ts'
import { usePolled } from '../live/polled.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { say } from '../parts/toasts.tsx'
import { formatMoment } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { DifferenceList } from './config-differences.tsx'
import { Refusal, SignatureFields, useSignature } from './config-signature.tsx'

interface ConfigHistoryProps {
  readonly document: ConfigDocument
  readonly history: readonly HistoryItem[]
  readonly onDone: () => void
}

/** The versions, newest first: who, when, why, what changed, and the way back. */
export function ConfigHistory({ document, history, onDone }: ConfigHistoryProps) {
  const [shown, setShown] = useState<number>()
  const [back, setBack] = useState<number>()
  return (
    <Panel title={t('config.history')}>
      {history.length === 0 ? (
        <Empty text={t('config.noHistory')} />
      ) : (
        <ul class="config-history" data-test="config-history">
          {history.map((item) => (
            <li key={item.version} data-version={item.version}>
              <HistoryRow
                item={item}
                isCurrent={item.version === document.stable.version}
                isStaged={item.version === document.staged?.version.version}
                canRollBack={document.staged === undefined}
                isShown={shown === item.version}
                onShow={() => setShown(shown === item.version ? undefined : item.version)}
                onBack={() => setBack(item.version)}
              />
              {shown === item.version ? (
                <Differences scope={document.scope} from={item.version - 1} to={item.version} />
              ) : null}
            </li>
          ))}
        </ul>
      )}
      {back === undefined ? null : (
        <RollbackDialog document={document} to={back} onClose={() => setBack(undefined)} onDone={onDone} />
      )}
    </Panel>
  )
}

interface HistoryRowProps {
  readonly item: HistoryItem
  readonly isCurrent: boolean
  readonly isStaged: boolean
  readonly canRollBack: boolean
  readonly isShown: boolean
  readonly onShow: () => void
  readonly onBack: () => void
}

function HistoryRow(props: HistoryRowProps) {
  const { item, isCurrent, isStaged, canRollBack, isShown, onShow, onBack } = props
  const { version, cause, author, message, atMs, steps } = item
  return (
    <div class="config-version">
      <strong class="number">{t('config.versionShort', { version })}</strong>
      <div class="break">
        <strong>{author}</strong> <span class="dim">{formatMoment(atMs, locale.value)}</span>{' '}
        {isCurrent ? <Badge tone="ok">{t('config.current')}</Badge> : null}
        {isStaged ? <Badge tone="accent">{t('config.stagedNow')}</Badge> : null}{' '}
        {cause.kind === 'write' ? null : (
          <Label>{t(`config.cause.${cause.kind}`, { of: cause.of ?? 0 })}</Label>
        )}{' '}
        {steps.map(({ step, share, atMs: at }) => (
          <Label key={`${step} ${at}`}>{t(`config.step.${step}`, { share })}</Label>
        ))}
        {message === '' ? null : <div>{message}</div>}
      </div>
      <span class="button-row">
        <button class="button small" type="button" aria-expanded={isShown} onClick={onShow}>
          {t('config.diff')}
        </button>
        <button
          class="button danger small"
          type="button"
          disabled={isCurrent || isStaged || !canRollBack}
          aria-label={t('config.rollbackNamed', { version })}
          onClick={onBack}
        >
          {t('config.rollback')}
        </button>
      </span>
    </div>
  )
}

interface DifferencesProps {
  readonly scope: string
  readonly from: number
  readonly to: number
}

function Differences({ scope, from, to }: DifferencesProps) {
  const ask = useCallback(() => configApi.diff(scope, from, to), [scope, from, to])
  const { value, problem } = usePolled(ask)
  if (value !== undefined) return <DifferenceList differences={value} />
  return problem === undefined ? null : <p class="dim">{problem}</p>
}

interface RollbackDialogProps {
  readonly document: ConfigDocument
  readonly to: number
  readonly onClose: () => void
  readonly onDone: () => void
}

function RollbackDialog({ document, to, onClose, onDone }: RollbackDialogProps) {
  const [latest] = useState(document.latest)
  const [failed, setFailed] = useState<unknown>()
  const signature = useSignature()
  const rollBack = async () => {
    try {
      await configApi.rollback(document.scope, to, signature.sign(latest))
    } catch (error) {
      setFailed(error)
      return
    }
    say('ok', { key: 'config.rolledBack', values: { version: to } })
    onClose()
    onDone()
  }
  return (
    <Dialog
      title={t('config.rollbackNamed', { version: to })}
      confirmText={t('config.rollback')}
      isDangerous
      canConfirm={signature.isWhole}
      onConfirm={() => void rollBack()}
      onClose={onClose}
    >
      <p>{t('config.rollbackMeaning')}</p>
      <Differences scope={document.scope} from={document.stable.version} to={to} />
      <SignatureFields state={signature} />
      <Refusal error={failed} />
    </Dialog>
  )
}
