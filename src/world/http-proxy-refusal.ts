import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AlthingError } from '../contracts/errors.ts'

/** A refusal is JSON: `{ "error": { "code", "message", "retryable", ... } }`. */
function bodyOf(error: AlthingError): string {
  return `${JSON.stringify({ error: error.toJSON() })}\n`
}

export function refuseRequest(
  response: ServerResponse,
  status: number,
  error: AlthingError,
  headers: Readonly<Record<string, string>>,
  keepsConnection: boolean,
): void {
  const body = bodyOf(error)
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(keepsConnection ? {} : { connection: 'close' }),
  })
  response.end(body)
}

/** On a bare connection, which is closed afterwards. */
export function refuseConnection(
  socket: Duplex,
  status: number,
  error: AlthingError,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = bodyOf(error)
  const fields = {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n${lines.join('')}\r\n`
  socket.end(head + body, () => socket.destroy())
}
