import { AlthingError, errorFromJson } from '../../contracts/errors.ts'
import { decodeCommand, encodeCommand, encodeMutation } from '../../models/store/codec.ts'
import type { StoreMutation, StoreReply } from '../../models/store/types.ts'
import { CommandStamps, type OutstandingStamp } from '../cluster/command-stamps.ts'
import type { Publication, Publisher } from './publisher.ts'

export type ReplyCallback = (error: AlthingError | undefined, reply: StoreReply | undefined) => void

/** Stamped when it is sent, which is when the session is open. */
const noStamp = { session: 0, sequence: 0, acknowledged: 0 }

/** While a session that was given up is replaced. */
const waitingMax = 4_096

/** A command on its way. */
interface Submission {
  data: Uint8Array
  readonly done: ReplyCallback
  stamp: OutstandingStamp | undefined
  publication: Publication | undefined
  isOver: boolean
}

/**
 * The commands of this process, in a session of the store model: a message that is in the log twice, since its acknowledgement was lost, is applied once. A session that the
 * store has given up (too many others were used since) is replaced by a new one.
 */
export class SessionCommands {
  readonly #publisher: Publisher
  readonly #ownerKey: () => string
  #stamps: CommandStamps | undefined
  /** Commands that wait for a session: at most {@link waitingMax}. */
  readonly #waiting = new Set<Submission>()
  #isOpening = false

  /** `ownerKey` names each new session: random. */
  constructor(publisher: Publisher, ownerKey: () => string) {
    this.#publisher = publisher
    this.#ownerKey = ownerKey
  }

  /** The bytes of this moment are what is sent. `mutation` must be well formed. */
  submit(mutation: StoreMutation, done: ReplyCallback): Publication {
    const submission: Submission = {
      data: encodeMutation(mutation, noStamp),
      done,
      stamp: undefined,
      publication: undefined,
      isOver: false,
    }
    this.#send(submission)
    return {
      abandon: () => this.#abandon(submission),
      get lastError() {
        return submission.publication?.lastError
      },
      get attempts() {
        return submission.publication?.attempts ?? 0
      },
    }
  }

  /** Opens a session, if there is none. `done` is called once. */
  open(done: (error: AlthingError | undefined) => void): Publication {
    const data = encodeCommand({ type: 'openSession', ownerKey: this.#ownerKey() })
    this.#isOpening = true
    return this.#publisher.publish({ kind: 'command', data }, (error, result) => {
      this.#isOpening = false
      const problem = error ?? this.#opened(result as StoreReply)
      if (problem !== undefined) for (const each of this.#waiting) this.#end(each, problem, undefined)
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const each of waiting) this.#send(each)
      done(problem)
    })
  }

  /** Tells the store that the session is needed no more; `undefined` when there is none. */
  close(done: () => void): Publication | undefined {
    if (this.#stamps === undefined) return undefined
    return this.submit({ type: 'closeSession' }, done)
  }

  #opened(reply: StoreReply): AlthingError | undefined {
    if (!reply.ok) return errorFromJson(reply.error)
    if (reply.type === 'openSession') this.#stamps = new CommandStamps(reply.session)
    return undefined
  }

  #send(submission: Submission): void {
    if (submission.isOver) return
    const stamps = this.#stamps
    if (stamps === undefined) {
      this.#waitForSession(submission)
      return
    }
    const stamp = stamps.take()
    submission.stamp = stamp
    const command = decodeCommand(submission.data) as StoreMutation
    submission.data = encodeMutation(command, stamp)
    const item = { kind: 'command', data: submission.data } as const
    submission.publication = this.#publisher.publish(item, (error, result) => {
      stamps.settle(stamp)
      const reply = result as StoreReply | undefined
      if (isExpired(reply)) this.#expired(submission, stamps, reply)
      else this.#end(submission, error, reply)
    })
  }

  #waitForSession(submission: Submission): void {
    if (this.#waiting.size >= waitingMax) {
      const full = new AlthingError('overloaded', `${waitingMax} commands wait for a session already`, {
        outcome: 'none',
      })
      this.#end(submission, full, undefined)
      return
    }
    this.#waiting.add(submission)
    if (!this.#isOpening) this.open(() => undefined)
  }

  #expired(submission: Submission, stamps: CommandStamps, reply: StoreReply): void {
    if (this.#stamps === stamps) this.#stamps = undefined
    // The only copy there was has been refused: it can be sent again in another session.
    if (submission.publication?.attempts === 1) this.#send(submission)
    else this.#end(submission, undefined, reply)
  }

  #end(submission: Submission, error: AlthingError | undefined, reply: StoreReply | undefined): void {
    if (submission.isOver) return
    submission.isOver = true
    submission.done(error, reply)
  }

  #abandon(submission: Submission): 'none' | 'unknown' {
    submission.isOver = true
    this.#waiting.delete(submission)
    const { publication, stamp } = submission
    if (stamp !== undefined) this.#stamps?.settle(stamp)
    return publication?.abandon() ?? 'none'
  }
}

function isExpired(reply: StoreReply | undefined): reply is StoreReply & { readonly ok: false } {
  return reply !== undefined && !reply.ok && reply.error.code === 'session-expired'
}
