import { isIPv4, isIPv6 } from 'node:net'
import packets, { type Answer, AUTHORITATIVE_ANSWER, type Packet, TRUNCATED_RESPONSE } from 'dns-packet'
import type { Random } from '../../contracts/world.ts'
import { isEligible, type ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import { type DnsName, fitsDns, readDnsName } from './dns-name.ts'

/** What the answers are made of. */
export interface DnsDirectory {
  readonly freshness: { readonly isKnown: boolean; readonly stale: boolean; readonly revision: number }
  /** In any case of letters; `undefined` when nothing of that name is registered. */
  instancesFolded(service: string): readonly ServiceInstance[] | undefined
}

export interface DnsAnswerOptions {
  readonly directory: DnsDirectory
  readonly random: Pick<Random, 'float'>
  /** Seconds for which an answer may be kept. */
  readonly ttlS: number
  readonly over: 'udp' | 'tcp'
}

/** RFC 1035: what UDP carries without EDNS. */
const plainBytesMax = 512
/** What is never cut to pieces on the way (DNS flag day 2020). */
const ednsBytesMax = 1_232
const tcpBytesMax = 65_535
/** Of so many instances at most one answer is made, drawn at random. */
const instancesMax = 1_000
/** A stale answer is asked for again soon. */
const staleTtlS = 1
const headerBytes = 12
const rcodes = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const
const badVersion = 1
/** RFC 8914, "Stale Answer". */
const extendedErrorCode = 15
const staleAnswerInfo = Buffer.from([0, 3])

interface Reply {
  readonly rcode: number
  readonly answers?: readonly Answer[]
  readonly additionals?: readonly Answer[]
  /** The zone's SOA goes with it: how long "no" may be kept. */
  readonly isNegative?: boolean
  readonly isForeign?: boolean
}

/** The answer to one packet; `undefined` where there is nothing to answer: not even a header, or itself an answer. Never throws. */
export function answerDns(query: Uint8Array, options: DnsAnswerOptions): Uint8Array | undefined {
  const bytes = Buffer.from(query.buffer, query.byteOffset, query.byteLength)
  if (bytes.length < headerBytes || (bytes.readUInt8(2) & 0x80) !== 0) return undefined
  let packet: Packet
  try {
    packet = packets.decode(bytes)
  } catch {
    return bareReply(bytes, rcodes.formatError)
  }
  try {
    return encodeReply(packet, replyTo(packet, bytes, options), options)
  } catch {
    return bareReply(bytes, rcodes.serverFailure)
  }
}

function replyTo(packet: Packet, bytes: Buffer, options: DnsAnswerOptions): Reply {
  const opcode = (bytes.readUInt8(2) >> 3) & 0xf
  if (opcode !== 0) return { rcode: rcodes.notImplemented, isForeign: true }
  const [question, ...more] = packet.questions ?? []
  if (question === undefined || more.length > 0) return { rcode: rcodes.formatError, isForeign: true }
  const name = readDnsName(question.name)
  if (name === undefined || (question.class ?? 'IN') !== 'IN') {
    return { rcode: rcodes.refused, isForeign: true }
  }
  const { directory } = options
  if (!directory.freshness.isKnown) return { rcode: rcodes.serverFailure }
  const asked = question.type
  if (name.kind === 'apex') return apexReply(asked, question.name, options)
  if (name.kind === 'branch') return { rcode: rcodes.ok, isNegative: true }
  const found = findInstances(name, directory)
  if (found === undefined) return { rcode: rcodes.nameError, isNegative: true }
  return serviceReply(asked, question.name, found.filter(isEligible), options)
}

function apexReply(asked: string, name: string, options: DnsAnswerOptions): Reply {
  if (asked === 'SOA') return { rcode: rcodes.ok, answers: [soa(name, options)] }
  if (asked !== 'NS') return { rcode: rcodes.ok, isNegative: true }
  return { rcode: rcodes.ok, answers: [{ type: 'NS', name, ttl: options.ttlS, data: `ns.${name}` }] }
}

/** Every place at which the name can be cut into an id and a service is tried: both may have dots in them. */
function findInstances(
  name: Extract<DnsName, { kind: 'service' }>,
  directory: DnsDirectory,
): readonly ServiceInstance[] | undefined {
  const { labels, zone } = name
  for (let i = 0; i < labels.length; i++) {
    const instances = directory.instancesFolded(labels.slice(i).join('.'))
    if (instances === undefined) continue
    const inZone =
      zone === undefined ? instances : instances.filter((instance) => instance.zone.toLowerCase() === zone)
    const id = labels.slice(0, i).join('.').toLowerCase()
    const found = id === '' ? inZone : inZone.filter((instance) => instance.id.toLowerCase() === id)
    if (found.length > 0) return found
  }
  return undefined
}

function serviceReply(
  asked: string,
  name: string,
  eligible: readonly ServiceInstance[],
  options: DnsAnswerOptions,
): Reply {
  const ttl = ttlOf(options)
  if (asked === 'ANY') {
    // RFC 8482: a short answer, so that nobody is flooded with a long one.
    return { rcode: rcodes.ok, answers: [{ type: 'HINFO', name, ttl, data: { cpu: 'RFC8482', os: '' } }] }
  }
  const drawn = drawByWeight(eligible, options.random)
  const places = drawn.flatMap((instance) => placeOf(instance) ?? [])
  if (asked === 'SRV') {
    const named = places.filter((place) => fitsDns(targetOf(place)))
    const answers = named.map((place): Answer => srvOf(place, name, ttl))
    const additionals = named.flatMap((place) => addressOf(place, targetOf(place), ttl, 'any') ?? [])
    return { rcode: rcodes.ok, answers, additionals, isNegative: answers.length === 0 }
  }
  if (asked !== 'A' && asked !== 'AAAA') return { rcode: rcodes.ok, isNegative: true }
  const answers = places.flatMap((place) => addressOf(place, name, ttl, asked) ?? [])
  const hasAddress = places.some(({ host }) => isIPv4(host) || isIPv6(host))
  const named = places.find(({ host }) => fitsDns(host))
  if (!hasAddress && named !== undefined) answers.push({ type: 'CNAME', name, ttl, data: named.host })
  return { rcode: rcodes.ok, answers, isNegative: answers.length === 0 }
}

interface Place {
  readonly instance: ServiceInstance
  readonly host: string
  readonly port: number
}

/** An address that is no `host:port` has no place in DNS. */
function placeOf(instance: ServiceInstance): Place | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]/]{1,253})):(\d{1,5})$/.exec(instance.address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port > 65_535 ? undefined : { instance, host, port }
}

function targetOf({ instance, host }: Place): string {
  return isIPv4(host) || isIPv6(host) ? `${instance.id}.${instance.service}.service.althing` : host
}

function srvOf(place: Place, name: string, ttl: number): Answer {
  const weight = Math.min(65_535, Math.max(1, Math.round(place.instance.weight)))
  return { type: 'SRV', name, ttl, data: { priority: 1, weight, port: place.port, target: targetOf(place) } }
}

function addressOf(
  { host }: Place,
  name: string,
  ttl: number,
  asked: 'A' | 'AAAA' | 'any',
): Answer | undefined {
  if (isIPv4(host) && asked !== 'AAAA') return { type: 'A', name, ttl, data: host }
  if (isIPv6(host) && asked !== 'A') return { type: 'AAAA', name, ttl, data: host }
  return undefined
}

/** A random order in which the heavier tend to come first (Efraimidis and Spirakis, 2006). */
function drawByWeight(
  instances: readonly ServiceInstance[],
  random: Pick<Random, 'float'>,
): readonly ServiceInstance[] {
  const from = Math.floor(random.float() * instances.length)
  const few =
    instances.length <= instancesMax
      ? instances
      : Array.from(
          { length: instancesMax },
          (_, i) => instances[(from + i) % instances.length] as ServiceInstance,
        )
  return few
    .map((instance) => ({ instance, rank: -Math.log(1 - random.float()) / instance.weight }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ instance }) => instance)
}

function ttlOf({ directory, ttlS }: DnsAnswerOptions): number {
  return directory.freshness.stale ? Math.min(staleTtlS, ttlS) : ttlS
}

function soa(name: string, options: DnsAnswerOptions): Answer {
  const ttl = ttlOf(options)
  return {
    type: 'SOA',
    name,
    ttl,
    data: {
      mname: 'ns.althing',
      rname: 'hostmaster.althing',
      serial: options.directory.freshness.revision % 2 ** 32,
      refresh: 60,
      retry: 10,
      expire: 600,
      minimum: ttl,
    },
  }
}

/** As many records as there is room for; what must be left out says so (TC), and is told over TCP. */
function encodeReply(packet: Packet, reply: Reply, options: DnsAnswerOptions): Uint8Array {
  const edns = packet.additionals?.find((record) => record.type === 'OPT')
  const isTooNew = edns?.type === 'OPT' && edns.ednsVersion > 0
  const bytesMax = roomFor(edns, options.over)
  const isStale = reply.isForeign !== true && options.directory.freshness.stale
  const opt: Answer | undefined =
    edns === undefined
      ? undefined
      : ({
          type: 'OPT',
          name: '.',
          udpPayloadSize: ednsBytesMax,
          flags: 0,
          extendedRcode: isTooNew ? badVersion : 0,
          ednsVersion: 0,
          options: isStale && !isTooNew ? [{ code: extendedErrorCode, data: staleAnswerInfo }] : [],
        } as unknown as Answer)
  const told = isTooNew ? { rcode: rcodes.ok } : reply
  const authorities = told.isNegative === true ? [soa('althing', options)] : []
  const base: Packet = {
    type: 'response',
    id: packet.id ?? 0,
    questions: packet.questions ?? [],
    authorities,
    additionals: opt === undefined ? [] : [opt],
  }
  let left = bytesMax - packets.encodingLength(base)
  const take = (records: readonly Answer[]): Answer[] => {
    const taken: Answer[] = []
    for (const record of records) {
      left -= packets.encodingLength({ answers: [record] }) - headerBytes
      if (left < 0) break
      taken.push(record)
    }
    return taken
  }
  const answers = take(told.answers ?? [])
  const isCut = answers.length < (told.answers?.length ?? 0)
  const additionals = isCut ? [] : take(told.additionals ?? [])
  const recursionDesired = (packet.flags ?? 0) & packets.RECURSION_DESIRED
  const authority = told.isForeign === true ? 0 : AUTHORITATIVE_ANSWER
  return packets.encode({
    ...base,
    answers,
    additionals: [...additionals, ...(base.additionals ?? [])],
    flags: authority | recursionDesired | (isCut ? TRUNCATED_RESPONSE : 0) | told.rcode,
  })
}

function roomFor(edns: Answer | undefined, over: 'udp' | 'tcp'): number {
  if (over === 'tcp') return tcpBytesMax
  const offered = edns?.type === 'OPT' ? edns.udpPayloadSize : plainBytesMax
  return Math.min(ednsBytesMax, Math.max(plainBytesMax, offered))
}

/** Where not even the question can be read. */
function bareReply(query: Buffer, rcode: number): Uint8Array {
  const reply = Buffer.alloc(headerBytes)
  query.copy(reply, 0, 0, 2)
  reply.writeUInt8(0x80 | (query.readUInt8(2) & 0x79), 2)
  reply.writeUInt8(rcode, 3)
  return reply
}
