import type { ClusterHealth, Problem } from '../live/cluster-health.ts'
import { t } from '../text/language.ts'

/** The cluster's health in one sentence, what it means, and for each problem what to do. */
export function Verdict({ health, isOld }: { readonly health: ClusterHealth; readonly isOld: boolean }) {
  const { title, meaning, problems, level } = health
  return (
    <section class={`verdict ${isOld ? '' : level}`} aria-live="polite" data-level={level}>
      <div>
        <h1>{t(title.key, title.values)}</h1>
        <p class="dim">{t(meaning.key, meaning.values)}</p>
      </div>
      {problems.length === 0 ? null : (
        <ul class="problems">
          {problems.map((problem) => (
            <ProblemLine key={problem.member} problem={problem} />
          ))}
        </ul>
      )}
    </section>
  )
}

function ProblemLine({ problem }: { readonly problem: Problem }) {
  const { member, what, toDo, detail } = problem
  return (
    <li>
      <span class="member-name">{t('member.name', { node: member })}</span>
      <span>
        {t(what.key, what.values)} <span class="dim">{t(toDo.key, toDo.values)}</span>
        {detail === undefined ? null : <div class="mono dim">{detail}</div>}
      </span>
    </li>
  )
}
