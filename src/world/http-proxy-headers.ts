/** Fields of one connection only (RFC 9110, 7.6.1, and its forerunners). `expect` has been answered by this side already. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Names and values in turn, as `http` and `undici` take and give them. */
export type FlatHeaders = string[]

/**
 * `raw` without the fields of the connection, those that its `Connection` field names, and those that `overrides` has (by
 * lower-case name), followed by the overrides that are not `undefined`.
 */
export function passOnHeaders(
  raw: readonly string[],
  overrides: Readonly<Record<string, string | undefined>>,
): FlatHeaders {
  const named = connectionTokens(raw)
  const kept: FlatHeaders = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string
    const lower = name.toLowerCase()
    if (hopByHop.has(lower) || Object.hasOwn(overrides, lower)) continue
    // The length of the body is not the connection's: who names it in Connection wants to smuggle.
    if (named.has(lower) && lower !== 'content-length' && lower !== 'host') continue
    kept.push(name, raw[i + 1] as string)
  }
  for (const name in overrides) {
    const value = overrides[name]
    if (value !== undefined) kept.push(name, value)
  }
  return kept
}

/** What `undici` calls raw headers: a buffer or text for each name and value. */
export function textsOf(raw: readonly (Buffer | string)[]): string[] {
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')))
}

function connectionTokens(raw: readonly string[]): ReadonlySet<string> {
  let tokens: Set<string> | undefined
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] as string).toLowerCase() !== 'connection') continue
    for (const token of (raw[i + 1] as string).split(','))
      (tokens ??= new Set()).add(token.trim().toLowerCase())
  }
  return tokens ?? noTokens
}

const noTokens: ReadonlySet<string> = new Set()
