import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { assert } from '../../base/assert.ts'
import { bytesFromText } from '../../base/bytes.ts'
import { describeEntry, SeededRandom, TestMember } from './raft-cluster.testkit.ts'
import type { Configuration, Entry, Message, RaftEffect } from './types.ts'

/**
 * Plays `testdata/*.txt`: lines `> command` are given, the lines below each are what came of it. `ALTHING_UPDATE_SCENARIOS=1` writes them anew,
 * to be read in review. Commands:
 *
 *     nodes 3 [option=number...]   campaign N      deliver [FROM TO]   drop FROM TO    propose N TEXT...   read N ID
 *     tick N MS   tick-all MS      sync N [COUNT]  disk N slow|fast    restart N       compact N KEEP      transfer N TO
 *     unreachable N PEER           cut N           join N              status          log N
 *     waiting N                    change N voters=1,2 [learners=3]    eligible N yes|no
 */
class Scenario {
  readonly #members: TestMember[] = []
  readonly #slow = new Set<number>()
  readonly #cut = new Set<number>()
  readonly #random = new SeededRandom(1)
  #options: Readonly<Record<string, number>> = {}
  #network: Message[] = []
  #nowMs = 0
  #showsConfigurations = false
  #output: string[] = []

  play(line: string): string[] {
    this.#output = []
    const [name = '', ...words] = line.split(' ')
    const command = this.#commands[name]
    assert(command !== undefined, 'the command is known', { line })
    command(words)
    this.#syncFastDisks()
    return this.#output
  }

  readonly #commands: Readonly<Record<string, (words: string[]) => void>> = {
    nodes: (words) => this.#start(words),
    campaign: ([id]) => {
      const member = this.#member(id)
      this.#nowMs = Math.max(this.#nowMs, member.raft.nextDeadlineMs)
      member.step({ type: 'tick' }, this.#nowMs)
    },
    tick: ([id, ms]) => {
      this.#nowMs += Number(ms)
      this.#member(id).step({ type: 'tick' }, this.#nowMs)
    },
    'tick-all': ([ms]) => {
      this.#nowMs += Number(ms)
      for (const member of this.#members) member.step({ type: 'tick' }, this.#nowMs)
    },
    deliver: ([from, to]) => this.#deliver(Number(from ?? 0), Number(to ?? 0)),
    drop: ([from, to]) => this.#drop(Number(from), Number(to)),
    propose: ([id, ...texts]) =>
      this.#member(id).step({ type: 'propose', id: 1, data: texts.map(bytesFromText) }, this.#nowMs),
    read: ([id, read]) => this.#member(id).step({ type: 'read', id: Number(read) }, this.#nowMs),
    sync: ([id, count]) =>
      this.#member(id).sync(this.#nowMs, count === undefined ? undefined : Number(count)),
    disk: ([id, speed]) =>
      void (speed === 'slow' ? this.#slow.add(Number(id)) : this.#slow.delete(Number(id))),
    restart: ([id]) => this.#member(id).restart(this.#nowMs),
    compact: ([id, keep]) => this.#member(id).compact(this.#nowMs, Number(keep)),
    transfer: ([id, to]) =>
      this.#member(id).step({ type: 'transferLeadership', to: Number(to) }, this.#nowMs),
    unreachable: ([id, peer]) =>
      this.#member(id).step({ type: 'peerUnreachable', peer: Number(peer) }, this.#nowMs),
    cut: ([id]) => void this.#cut.add(Number(id)),
    join: ([id]) => void this.#cut.delete(Number(id)),
    waiting: ([id]) => {
      this.#showsConfigurations = true
      this.#add(Number(id), { voters: [] })
    },
    change: ([id, ...parts]) => {
      this.#showsConfigurations = true
      const target = configurationOf(parts)
      this.#member(id).step({ type: 'changeConfiguration', id: 1, target }, this.#nowMs)
    },
    eligible: ([id, answer]) =>
      this.#member(id).step({ type: 'setEligible', eligible: answer === 'yes' }, this.#nowMs),
    status: () => this.#printStatus(),
    log: ([id]) => this.#printLog(this.#member(id)),
  }

  #start([count, ...settings]: string[]): void {
    const voters = Array.from({ length: Number(count) }, (_, at) => at + 1)
    this.#options = Object.fromEntries(
      settings.map((setting) => setting.split('=')).map(([key, value]) => [key, Number(value)]),
    )
    for (const id of voters) this.#add(id, { voters })
  }

  /** A node that is not told yet to what it belongs: the next number. */
  #add(id: number, initial: Configuration): void {
    const member = new TestMember(
      { ...this.#options, id },
      initial,
      this.#random,
      (message) => this.#network.push(message),
      ({ id: at }, effect) => this.#print(at, effect),
    )
    this.#members.push(member)
  }

  #deliver(from: number, to: number): void {
    const isMeant = (message: Message) => from === 0 || (message.from === from && message.to === to)
    for (let turn = 0; turn < 100; turn++) {
      const batch = this.#network.filter(isMeant)
      this.#network = this.#network.filter((message) => !isMeant(message))
      for (const message of batch) this.#receive(message)
      this.#syncFastDisks()
      if (batch.length === 0 || from !== 0) return
    }
    this.#output.push('messages go on without end')
  }

  #receive(message: Message): void {
    if (this.#cut.has(message.from) || this.#cut.has(message.to)) {
      this.#output.push(`${message.from}->${message.to} lost ${describeMessage(message)}`)
      return
    }
    this.#output.push(`${message.from}->${message.to} ${describeMessage(message)}`)
    this.#member(String(message.to)).step({ type: 'receive', message }, this.#nowMs)
  }

  #drop(from: number, to: number): void {
    const isMeant = (message: Message) => message.from === from && message.to === to
    for (const message of this.#network.filter(isMeant))
      this.#output.push(`${from}->${to} lost ${describeMessage(message)}`)
    this.#network = this.#network.filter((message) => !isMeant(message))
  }

  #syncFastDisks(): void {
    for (const member of this.#members) if (!this.#slow.has(member.id)) member.sync(this.#nowMs)
  }

  #member(id: string | undefined): TestMember {
    const member = this.#members[Number(id) - 1]
    assert(member !== undefined, 'the member exists', { id })
    return member
  }

  #print(id: number, effect: RaftEffect): void {
    const text = describeEffect(effect)
    if (text !== undefined) this.#output.push(`  ${id}: ${text}`)
  }

  #printStatus(): void {
    this.#output.push(`now=${Math.floor(this.#nowMs)}`)
    for (const { raft } of this.#members) {
      const status = raft.status()
      const { id, role, term, vote, leader, commitIndex, firstIndex, lastIndex, persistedIndex, progress } =
        status
      const state = `${id} ${role} term=${term} vote=${vote} leader=${leader}`
      this.#output.push(
        `${state} commit=${commitIndex} log=${firstIndex}..${lastIndex} persisted=${persistedIndex}`,
      )
      if (this.#showsConfigurations)
        this.#output.push(
          `    ${describeConfiguration(status.configuration)} of ${status.configurationIndex}`,
        )
      for (const [peer, { state: mode, matchIndex, nextIndex, inflightMessages }] of progress) {
        this.#output.push(
          `    ${peer} ${mode} match=${matchIndex} next=${nextIndex} inflight=${inflightMessages}`,
        )
      }
    }
  }

  #printLog({ raft }: TestMember): void {
    const { firstIndex, lastIndex } = raft.status()
    this.#output.push(describeEntries(raft.entries(firstIndex, lastIndex, Number.POSITIVE_INFINITY)))
  }
}

function configurationOf(parts: readonly string[]): Configuration {
  const lists = new Map(parts.map((part) => part.split('=') as [string, string]))
  const listOf = (name: string) => lists.get(name)?.split(',').map(Number) ?? []
  return { voters: listOf('voters'), learners: listOf('learners') }
}

function describeConfiguration({ voters, outgoingVoters, learners }: Configuration): string {
  const outgoing = outgoingVoters === undefined ? '' : ` and (${outgoingVoters})`
  return `(${voters})${outgoing}${learners === undefined ? '' : `, learners ${learners}`}`
}

function describeEntries(entries: readonly Entry[]): string {
  return `[${entries.map((entry) => `${entry.index}@${describeEntry(entry)}`).join(' ')}]`
}

function describeMessage(message: Message): string {
  const head = `${message.type} t${message.term}`
  switch (message.type) {
    case 'requestVote': {
      const flags = `${message.preVote ? ' pre' : ''}${message.transfer ? ' transfer' : ''}`
      return `${head}${flags} last=${message.lastLogIndex}@${message.lastLogTerm}`
    }
    case 'requestVoteReply':
      return `${head}${message.preVote ? ' pre' : ''} ${message.granted ? 'yes' : 'no'}`
    case 'appendEntries': {
      const { prevLogIndex, prevLogTerm, leaderCommit, round, entries } = message
      return `${head} prev=${prevLogIndex}@${prevLogTerm} commit=${leaderCommit} round=${round} ${describeEntries(entries)}`
    }
    case 'appendEntriesReply': {
      const { success, matchIndex, rejectedIndex, conflictIndex, conflictTerm, round } = message
      if (success) return `${head} match=${matchIndex} round=${round}`
      return `${head} refused=${rejectedIndex} conflict=${conflictIndex}@${conflictTerm} round=${round}`
    }
    case 'installSnapshot':
      return `${head} at=${message.snapshot.index}@${message.snapshot.term} transfer=${message.transferId}`
    case 'installSnapshotReply':
      return `${head} ${message.installed ? 'installed' : `offset=${message.offset}`} at=${message.index}`
    case 'readIndexReply':
      return `${head} index=${message.index}`
    case 'readIndex':
    case 'timeoutNow':
      return head
  }
}

/** Messages show when they are delivered. */
function describeEffect(effect: RaftEffect): string | undefined {
  switch (effect.type) {
    case 'send':
      return undefined
    case 'persist': {
      const { sequence, hardState, entries, snapshot } = effect
      const state = hardState === undefined ? '' : ` term=${hardState.term} vote=${hardState.vote}`
      const base = snapshot === undefined ? '' : ` anew after ${snapshot.index}@${snapshot.term}`
      return `persist #${sequence}${state}${base} ${describeEntries(entries)}`
    }
    case 'apply':
      return `apply ${describeEntries(effect.entries)}`
    case 'proposalsAppended':
      return `appended from ${effect.firstIndex}, ${effect.count} in term ${effect.term}`
    case 'proposalsDropped':
      return `dropped: ${effect.reason}`
    case 'readReady':
      return `read ${effect.id} at ${effect.index}`
    case 'readDropped':
      return `read ${effect.id} dropped`
    case 'stateChanged':
      return `${effect.role} in term ${effect.term}, leader ${effect.leader}`
    case 'sendSnapshot':
    case 'cancelSnapshot':
      return `${effect.type} to ${effect.to}`
    case 'compactLog':
      return `compactLog ${effect.index}`
    case 'configurationAppended':
      return `change appended at ${effect.index}, in term ${effect.term}`
    case 'configurationRefused':
      return `change refused: ${effect.reason}`
    case 'configurationChanged':
      return `uses ${describeConfiguration(effect.configuration)} of ${effect.index}`
    case 'peerLostData':
      return `${effect.peer} has lost data, up to ${effect.matchIndex}`
    case 'acceptSnapshot':
    case 'snapshotProgress':
      return effect.type
  }
}

function playAll(text: string): string {
  const scenario = new Scenario()
  const given = text
    .split('\n')
    .filter((line) => line.startsWith('#') || line.startsWith('> ') || line === '')
  const lines = given.flatMap((line) =>
    line.startsWith('> ') ? [line, ...scenario.play(line.slice(2))] : [line],
  )
  return lines.join('\n')
}

describe('scenarios', () => {
  const folder = new URL('./testdata/', import.meta.url)
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))

  test('there are some', () => {
    expect(names.length).toBeGreaterThan(5)
  })

  test.each(names)('%s goes as recorded', (name) => {
    const file = new URL(name, folder)
    const recorded = readFileSync(file, 'utf8')
    const played = playAll(recorded)
    if (process.env['ALTHING_UPDATE_SCENARIOS'] === '1') writeFileSync(file, played)
    else expect(played).toBe(recorded)
  })
})
