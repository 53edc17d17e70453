import { useCallback, useState } from 'preact/hooks'
import { type ConfigDocument, configApi } from '../api/config-api.ts'
import { usePolled } from '../live/polled.ts'
import { Badge } from '../parts/badge.tsx'
import { Panel } from '../parts/panel.tsx'
import { say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { DifferenceList } from './config-differences.tsx'
import { RuleFields } from './config-rule-fields.tsx'
import { Refusal, SignatureFields, useSignature } from './config-signature.tsx'
import { labelsText, typedLabels } from './config-text.ts'

interface ConfigReleaseProps {
  readonly document: ConfigDocument
  readonly onDone: () => void
}

/** The version that only some instances run yet: to more of them, to all, or back. */
export function ConfigRelease({ document, onDone }: ConfigReleaseProps) {
  const { staged } = document
  if (staged === undefined) return null
  return <Release key={staged.version.version} document={document} staged={staged} onDone={onDone} />
}

type Staged = NonNullable<ConfigDocument['staged']>

function Release({ document, staged, onDone }: ConfigReleaseProps & { readonly staged: Staged }) {
  const { scope, latest, stable } = document
  const { version } = staged.version
  const [share, setShare] = useState(staged.share)
  const [labels, setLabels] = useState(labelsText(staged.match))
  const [failed, setFailed] = useState<unknown>()
  const signature = useSignature()
  const match = typedLabels(labels)
  const isChanged = share !== staged.share || labels !== labelsText(staged.match)
  const act = async (work: () => Promise<unknown>, done: 'widened' | 'promoted' | 'aborted') => {
    try {
      await work()
    } catch (error) {
      setFailed(error)
      return
    }
    setFailed(undefined)
    say('ok', { key: `config.${done}`, values: { version } })
    onDone()
  }
  const widen = () =>
    configApi.release(
      scope,
      labels.trim() === '' ? { share } : { share, match: match ?? {} },
      signature.sign(latest),
    )
  const end = (how: 'promote' | 'abort') => () => configApi.endRelease(scope, how, signature.sign(latest))
  return (
    <Panel
      title={t('config.releaseTitle', { version })}
      note={t('config.releaseNote', { author: staged.version.author, stable: stable.version })}
      end={
        <Badge tone="accent">
          {t('config.stagedShort', { version, share: staged.share })} {labelsText(staged.match)}
        </Badge>
      }
      isPadded
    >
      <div class="config-release" data-test="config-release">
        <StagedDifferences scope={scope} from={stable.version} to={version} />
        <RuleFields
          share={share}
          labels={labels}
          shareMin={staged.share}
          onShare={setShare}
          onLabels={setLabels}
        />
        <SignatureFields state={signature} />
        <Refusal error={failed} />
        <ReleaseButtons
          canAct={signature.isWhole}
          canWiden={isChanged && match !== undefined}
          onWiden={() => void act(widen, 'widened')}
          onPromote={() => void act(end('promote'), 'promoted')}
          onAbort={() => void act(end('abort'), 'aborted')}
        />
      </div>
    </Panel>
  )
}

interface ReleaseButtonsProps {
  readonly canAct: boolean
  readonly canWiden: boolean
  readonly onWiden: () => void
  readonly onPromote: () => void
  readonly onAbort: () => void
}

function ReleaseButtons({ canAct, canWiden, onWiden, onPromote, onAbort }: ReleaseButtonsProps) {
  return (
    <div class="button-row">
      <button class="button" type="button" disabled={!canAct || !canWiden} onClick={onWiden}>
        {t('config.widen')}
      </button>
      <button class="button primary" type="button" disabled={!canAct} onClick={onPromote}>
        {t('config.promote')}
      </button>
      <button class="button danger" type="button" disabled={!canAct} onClick={onAbort}>
        {t('config.abort')}
      </button>
    </div>
  )
}

function StagedDifferences({
  scope,
  from,
  to,
}: {
  readonly scope: string
  readonly from: number
  readonly to: number
}) {
  const ask = useCallback(() => configApi.diff(scope, from, to), [scope, from, to])
  const { value } = usePolled(ask)
  return value === undefined ? null : <DifferenceList differences={value} />
}
