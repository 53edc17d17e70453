import type { HttpHeaders, ProxyRequest } from '../contracts/http.ts'
import { formatIpAddress, type IpNetworks, parseIpAddress } from './ip-address.ts'

/**
 * Fields that tell the instance who called. What an untrusted client says about earlier hops is dropped, and it cannot pass off a
 * gateway's own fields.
 */
export function forwardedHeaders(
  request: ProxyRequest,
  trustedProxies: IpNetworks,
): Readonly<Record<string, string | undefined>> {
  const peer = parseIpAddress(request.remoteAddress)
  const isTrusted = peer !== undefined && trustedProxies.has(peer)
  const said = (name: string): string | undefined => (isTrusted ? textOf(request.headers, name) : undefined)
  const hops = [said('x-forwarded-for'), peer === undefined ? undefined : formatIpAddress(peer)]
  return {
    'x-forwarded-for': hops.filter((hop) => hop !== undefined).join(', ') || undefined,
    'x-forwarded-proto': said('x-forwarded-proto') ?? 'http',
    'x-forwarded-host': said('x-forwarded-host') ?? textOf(request.headers, 'host'),
    forwarded: said('forwarded'),
    'x-althing-node': undefined,
    'x-althing-route': undefined,
  }
}

function textOf(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' || value === undefined ? value : value.join(', ')
}
