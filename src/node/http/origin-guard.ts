import { AlthingError } from '../../contracts/errors.ts'

const loopbackHost = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?$/i

/**
 * Keeps the pages of other sites out. A browser sends the page's own origin along with every request that changes something, and the name it looked up
 * as `Host`: a name that was made to point at this machine (DNS rebinding) is not a name of this machine. Programs send no `Origin` and are
 * not concerned. `isProtected`: callers sign in, so another site's page gets nothing by a name that points here, and any name will do. Throws `permission-denied`.
 */
export function assertOwnPage(request: Request, changesState: boolean, isProtected: boolean): void {
  const host = request.headers.get('host') ?? new URL(request.url).host
  const isLocal = loopbackHost.test(host)
  if (!isLocal && !isProtected) throw refused(`the Host ${host} is not a name of this machine`)
  if (!changesState) return
  const origin = request.headers.get('origin')
  if (origin !== null && !(isLocal ? isLoopbackOrigin(origin) : isOriginOf(origin, host)))
    throw refused(`pages of ${origin} may not change anything here`)
  if (request.headers.get('sec-fetch-site') === 'cross-site')
    throw refused('pages of other sites may not change anything here')
}

function isLoopbackOrigin(origin: string): boolean {
  const match = /^https?:\/\/(.+)$/.exec(origin)
  return match !== null && loopbackHost.test(match[1] ?? '')
}

function isOriginOf(origin: string, host: string): boolean {
  return /^https?:\/\/(.+)$/.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase()
}

function refused(message: string): AlthingError {
  return new AlthingError('permission-denied', message, { outcome: 'none' })
}
