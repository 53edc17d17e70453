import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { open } from 'althing'
import { fenceHeader, fenceHeaders, GuardedFile, HttpGuard } from 'althing/coordination'

const althing = await open('memory:')

// The resource: a server that has never heard of Althing's store, and asks the guard before it changes anything.
const guard = new HttpGuard()
let invoice = 'draft'
const serve = async (request: IncomingMessage, response: ServerResponse) => {
  const verdict = await guard.check('invoice/7', request.headers[fenceHeader])
  if (!verdict.isAdmitted) {
    response.writeHead(verdict.status).end(verdict.error.message)
    return
  }
  invoice = request.url ?? ''
  response.writeHead(204).end()
}
const server = createServer((request, response) => void serve(request, response))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

// Two holders, one after the other. The first believes that it still holds: it was stopped for a minute.
const former = await althing.locks.acquire('invoices')
const show = async (stamp: typeof former.stamp, state: string) =>
  (await fetch(`${url}/${state}`, { method: 'PUT', headers: fenceHeaders(stamp) })).status
console.log(await show(former.stamp, 'checked')) // 204
await former.release()
const lock = await althing.locks.acquire('invoices')
console.log(await show(lock.stamp, 'sent'), await show(former.stamp, 'draft'), invoice) // 204 412 /sent

// The same for a file. The world here keeps it in a temporary folder; in a service it is `althing.world`.
const { createNodeWorld } = await import('althing/world')
const { mkdtemp, rm } = await import('node:fs/promises')
const folder = await mkdtemp('/tmp/althing-fencing-')
const file = new GuardedFile(createNodeWorld({ dataFolder: folder }), 'reports/daily')
await file.write(lock.stamp, new TextEncoder().encode('42 invoices'))
const refused = await file
  .write(former.stamp, new Uint8Array())
  .catch((error: { code: string }) => error.code)
console.log(refused, new TextDecoder().decode((await file.read())?.content)) // stale-token 42 invoices

await rm(folder, { recursive: true })
server.close()
await lock.release()
await althing.close()
