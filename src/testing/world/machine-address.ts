import { invalidArgument } from '../../contracts/errors.ts'

const ownNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '0.0.0.0', '[::1]', '[::]', ''])

/** The two parts of `host:port`, with what means "this machine" replaced by its name; throws `invalid-argument`. */
export function machineAddress(
  address: string,
  ownHost: string,
): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  const isValid =
    colon >= 0 && address.length > colon + 1 && Number.isInteger(port) && port >= 0 && port <= 65_535
  if (!isValid) throw invalidArgument('address', address, "of the form 'host:port'")
  const host = address.slice(0, colon)
  return { host: ownNames.has(host) ? ownHost : host, port }
}
