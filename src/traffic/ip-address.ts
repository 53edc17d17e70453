import { invalidArgument } from '../contracts/errors.ts'

/** 4 bytes for IPv4 (also when written as an IPv4-mapped IPv6 address), 16 for IPv6; `undefined` when `text` is neither. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  const unbracketed = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  const withoutZone = unbracketed.split('%', 1)[0] as string
  return withoutZone.includes(':') ? parseIpv6(withoutZone) : parseIpv4(withoutZone)
}

/** The usual text of the address, so that one client has one name: IPv4 dotted, IPv6 as eight groups without leading zeros. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16))
  return groups.join(':')
}

/** A set of addresses and networks (`10.0.0.0/8`, `fd00::/8`, `127.0.0.1`). */
export class IpNetworks {
  readonly #networks: readonly { readonly bytes: Uint8Array; readonly bits: number }[]

  constructor(networks: readonly string[]) {
    this.#networks = networks.map(parseNetwork)
  }

  has(address: Uint8Array): boolean {
    return this.#networks.some((network) => matches(address, network.bytes, network.bits))
  }
}

function parseNetwork(text: string): { bytes: Uint8Array; bits: number } {
  const [address = '', length, ...rest] = text.split('/')
  const bytes = parseIpAddress(address)
  const bits = length === undefined ? (bytes?.length ?? 0) * 8 : parseDecimal(length)
  if (bytes === undefined || bits === undefined || bits > bytes.length * 8 || rest.length > 0)
    throw invalidArgument('network', text, 'an IP address or network such as 10.0.0.0/8 or fd00::/8')
  return { bytes, bits }
}

function matches(address: Uint8Array, network: Uint8Array, bits: number): boolean {
  if (address.length !== network.length) return false
  for (let i = 0; i * 8 < bits; i++) {
    const shift = Math.max(0, 8 - (bits - i * 8))
    if ((address[i] as number) >> shift !== (network[i] as number) >> shift) return false
  }
  return true
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    const value = parseDecimal(part)
    if (value === undefined || value > 255) return undefined
    bytes[i] = value
  }
  return bytes
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] as string)
  const tail = halves.length === 2 ? parseGroups(halves[1] as string) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined
  const bytes = Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail])
  return isIpv4Mapped(bytes) ? bytes.subarray(12) : bytes
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    if (i === groups.length - 1 && group.includes('.')) {
      const embedded = parseIpv4(group)
      if (embedded === undefined) return undefined
      bytes.push(...embedded)
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
    }
  }
  return bytes.length <= 16 ? bytes : undefined
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
}

/** No sign, no leading zero (which some readers take for octal), at most three digits. */
function parseDecimal(text: string): number | undefined {
  return /^(0|[1-9]\d{0,2})$/.test(text) ? Number(text) : undefined
}
