import type { Timer, World } from '../../contracts/world.ts'
import type { AcceptedWeakness } from '../../coordination/accepted-weaknesses.ts'
import { diagnose } from './diagnose.ts'
import { FindingAges } from './finding-ages.ts'
import type { Finding } from './finding.ts'
import type { MemberAnswer } from './member-answer.ts'

export interface HealthWatchOptions {
  readonly world: World
  /** Every member as it answers now. */
  ask(): Promise<readonly MemberAnswer[]>
  /** What programs have accepted on the cluster's own store. */
  accepted?(): Promise<readonly AcceptedWeakness[]>
  /** From one examination to the next, while nobody asks (default 15 s). */
  readonly everyMs?: number
}

const everyMsDefault = 15_000

/** Examines the cluster from one node, again and again, so that it is known since when something has been wrong. */
export class HealthWatch {
  readonly #options: HealthWatchOptions
  readonly #ages = new FindingAges()
  #findings: readonly Finding[] = []
  #accepted: readonly AcceptedWeakness[] | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: HealthWatchOptions) {
    this.#options = options
    this.#arm()
  }

  /** As of the last examination, most serious first. */
  get findings(): readonly Finding[] {
    return this.#findings
  }

  /** An examination now. */
  async examine(): Promise<readonly Finding[]> {
    const { ask, accepted } = this.#options
    // It may need the quorum that an examination is to find missing.
    this.#accepted = (await accepted?.().catch(() => undefined)) ?? this.#accepted
    return this.judge(await ask())
  }

  /** The same of answers that somebody has just asked for. */
  judge(members: readonly MemberAnswer[]): readonly Finding[] {
    const { clock } = this.#options.world
    const findings = diagnose({
      members,
      nowMs: clock.wallMs(),
      ...(this.#accepted === undefined ? {} : { accepted: this.#accepted }),
    })
    this.#findings = this.#ages.add(findings, clock.monotonicMs())
    return this.#findings
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #arm(): void {
    if (this.#isClosed) return
    const { world, everyMs = everyMsDefault } = this.#options
    this.#timer = world.timers.after(everyMs, () => {
      this.examine()
        .catch((error: unknown) => {
          world.logger.log('debug', 'the cluster could not be examined', { error })
        })
        .finally(() => this.#arm())
    })
  }
}
