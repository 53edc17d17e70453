import { invalidArgument } from '../contracts/errors.ts'

/** `host:port`, with an IPv6 host in brackets. */
export function formatAddress(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return 'unknown'
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The two parts of `host:port`; throws `invalid-argument`. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    throw invalidArgument('address', address, '`host:port`, with an IPv6 host in brackets')
  }
  return { host, port }
}
