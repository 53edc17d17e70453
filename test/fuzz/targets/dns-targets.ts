import packets from 'dns-packet'
import { answerDns } from '../../../src/node/dns/dns-answer.ts'
import { instanceOf } from '../../../src/traffic/given-live-set.ts'
import { type FuzzTarget, PropertyViolation } from '../fuzz-target.ts'

const web = Array.from({ length: 40 }, (_, i) =>
  instanceOf(`w${i}`, {
    service: 'web',
    address: i % 2 === 0 ? `10.0.0.${i}:80` : `[fd00::${i}]:80`,
    zone: 'north',
  }),
)
const directory = {
  freshness: { isKnown: true, stale: true, revision: 3 },
  instancesFolded: (name: string) => (name.toLowerCase() === 'web' ? web : undefined),
}

function question(name: string, type: packets.RecordType): Uint8Array {
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1_232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    options: [],
  }
  return packets.encode({
    type: 'query',
    id: 7,
    flags: packets.RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: [opt as unknown as packets.Answer],
  })
}

/** Packets to the answers over DNS: each is answered within its bounds, or not at all, and nothing is thrown. */
export function dnsTargets(): FuzzTarget[] {
  const run = (input: Buffer): string => {
    const reply = answerDns(input, { directory, random: { float: () => 0.5 }, ttlS: 5, over: 'udp' })
    if (reply === undefined) return 'no answer'
    if (reply.byteLength > 1_232)
      throw new PropertyViolation('bound', `an answer of ${reply.byteLength} bytes`)
    const bytes = Buffer.from(reply)
    if (bytes.readUInt16BE(0) !== input.readUInt16BE(0)) throw new PropertyViolation('id', 'another id')
    if ((bytes.readUInt8(2) & 0x80) === 0) throw new PropertyViolation('answer', 'a question was sent back')
    return `rcode ${bytes.readUInt8(3) & 0xf}, ${Math.min(bytes.readUInt16BE(6), 3)} answers`
  }
  const seeds = [
    question('web.service.althing', 'SRV'),
    question('w1.WEB.service.north.zone.althing', 'AAAA'),
    question('nobody.service.althing', 'A'),
    question('example.org', 'TXT'),
  ]
  return [{ name: 'dns-query', area: 'wire', share: 3, seeds, inputBytesMax: 600, run }]
}
