import type { AttemptFailure } from '../contracts/http.ts'

const timeouts: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
])

const malformed: ReadonlySet<string> = new Set([
  'ERR_INVALID_ARG_VALUE',
  'ERR_INVALID_CHAR',
  'ERR_INVALID_URL',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
])

/** Names what a socket or `undici` reports, for one who must decide whether to try again. */
export function attemptFailure(error: Error, wasSent: boolean, canReplay: boolean): AttemptFailure {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const message = error.message === '' ? code || error.name : error.message
  return { phase: wasSent ? 'reply' : 'connect', kind: kindOf(error.name, code, wasSent), message, canReplay }
}

function kindOf(name: string, code: string, wasSent: boolean): AttemptFailure['kind'] {
  if (timeouts.has(code)) return 'timeout'
  if (name === 'HTTPParserError' || code.startsWith('HPE_') || malformed.has(code)) return 'malformed'
  return wasSent ? 'reset' : 'refused'
}
