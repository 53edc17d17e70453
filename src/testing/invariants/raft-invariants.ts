import type { RaftInvariant } from './cluster-view.ts'
import { CommittedIsDurable } from './committed-is-durable.ts'
import { ConfigurationSteps } from './configuration-steps.ts'
import { DurableSurvivesRestart } from './durable-survives-restart.ts'
import { ElectionSafety } from './election-safety.ts'
import { LeaderAppendOnly } from './leader-append-only.ts'
import { LeaderCompleteness } from './leader-completeness.ts'
import { LogMatching } from './log-matching.ts'
import { MonotoneProgress } from './monotone-progress.ts'
import { OwnTermCommit } from './own-term-commit.ts'
import { ReadIndexIsCurrent } from './read-index.ts'
import { StateMachineSafety } from './state-machine-safety.ts'
import { VotesAreDurable } from './votes-are-durable.ts'

/** A fresh set of all invariants of raft, for one run. */
export function createRaftInvariants(): RaftInvariant[] {
  return [
    new MonotoneProgress(),
    new ElectionSafety(),
    new VotesAreDurable(),
    new LeaderAppendOnly(),
    new LogMatching(),
    new OwnTermCommit(),
    new LeaderCompleteness(),
    new CommittedIsDurable(),
    new StateMachineSafety(),
    new DurableSurvivesRestart(),
    new ReadIndexIsCurrent(),
    new ConfigurationSteps(),
  ]
}
