import type { HttpHeaders } from '../contracts/http.ts'
import { formatIpAddress, type IpNetworks, parseIpAddress } from './ip-address.ts'

export interface ClientIdentityOptions {
  /** Lower-case name of the field that carries the user's id. Default `x-user-id`. */
  readonly userHeader: string
  /** Default `x-device-id`. */
  readonly deviceHeader: string
  /** Peers whose `X-Forwarded-For` is believed. Default none. */
  readonly trustedProxies: IpNetworks
}

/** Who a request is counted for when it is routed. */
export interface ClientIdentity {
  readonly kind: 'user' | 'device' | 'address'
  /** Unique over all kinds: `user:42`, `device:ab12`, `address:10.0.0.7`. */
  readonly key: string
  /** The client's own address, as far as it can be trusted. `''` when it is not known. */
  readonly address: string
}

/** Longer ids are not taken: they would be kept in the table of sessions. */
export const identityLengthMax = 256

/** Hops of `X-Forwarded-For` that are looked at, from the nearest one. */
export const forwardedHopsMax = 32

/**
 * User id, else device id, else address. It decides where a request goes and nothing else: it is the client's claim and no
 * authentication.
 */
export function identifyClient(
  request: { readonly headers: HttpHeaders; readonly remoteAddress: string },
  options: ClientIdentityOptions,
): ClientIdentity {
  const address = clientAddress(request, options.trustedProxies)
  const user = idFrom(request.headers[options.userHeader])
  if (user !== undefined) return { kind: 'user', key: `user:${user}`, address }
  const device = idFrom(request.headers[options.deviceHeader])
  if (device !== undefined) return { kind: 'device', key: `device:${device}`, address }
  return { kind: 'address', key: `address:${address}`, address }
}

/**
 * The nearest address that no trusted proxy vouches for being one of them. Each hop of `X-Forwarded-For` was written by the
 * one after it, so it is believed only while all later ones, the peer included, are trusted; the rest may be invented.
 */
export function clientAddress(
  request: { readonly headers: HttpHeaders; readonly remoteAddress: string },
  trustedProxies: IpNetworks,
): string {
  let current = parseIpAddress(request.remoteAddress)
  if (current === undefined) return ''
  for (const hop of hopsFromNearest(request.headers['x-forwarded-for'])) {
    if (!trustedProxies.has(current)) break
    const claimed = parseIpAddress(hop)
    if (claimed === undefined) break
    current = claimed
  }
  return formatIpAddress(current)
}

function hopsFromNearest(field: string | readonly string[] | undefined): string[] {
  if (field === undefined) return []
  const text = typeof field === 'string' ? field : field.join(',')
  const hops = text.split(',').map((hop) => hop.trim())
  return hops.slice(-forwardedHopsMax).reverse()
}

function idFrom(field: string | readonly string[] | undefined): string | undefined {
  if (typeof field !== 'string') return undefined
  const id = field.trim()
  return id.length > 0 && id.length <= identityLengthMax ? id : undefined
}
