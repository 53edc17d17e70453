import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseDurationMs } from '../../../src/base/duration.ts'
import { errorCodes } from '../../../src/contracts/errors.ts'
import { parseMembers } from '../../../src/cli/node-command.ts'
import { open } from '../../../src/node/althing.ts'
import { freePorts } from '../../../src/node/free-ports.ts'
import { ConsoleFiles } from '../../../src/node/http/console-files.ts'
import { type App, createHttpApp } from '../../../src/node/http/http-app.ts'
import { closeContext, httpContext } from '../../../src/node/http/http-server.ts'
import { startNodeServer } from '../../../src/node/node-server.ts'
import { parseIpAddress } from '../../../src/traffic/ip-address.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import { type FuzzTarget, PropertyViolation, refusal } from '../fuzz-target.ts'

/** Requests to a node's HTTP API, and the texts that people and programs hand to a command or a function. */
export async function httpTargets(): Promise<FuzzTarget[]> {
  return [...texts(), await api()]
}

const requests = [
  'GET /api/v1/status',
  'GET /api/v1/kv?prefix=a&limit=3&keysOnly=true&revision=2&consistency=serializable',
  'GET /api/v1/kv/some%2Fkey?raw=true',
  'PUT /api/v1/kv/some%2Fkey?ifRevision=0&timeout=2s&lease=4\nIf-Match: "7"\n\nvalue',
  'DELETE /api/v1/kv/x?ifRevision=3',
  'POST /api/v1/txn?timeout=100\n\n{"compare":[{"target":"version","key":"a","op":"=","value":0}],"then":[{"op":"put","key":"a","value":"1"}],"else":[{"op":"get","prefix":"a","limit":2}]}',
  'POST /api/v1/txn\n\n{"then":[{"op":"put","key":"a","valueBase64":"AP8B/g==","lease":"keep","previous":true},{"op":"delete","key":"b","end":"c"}]}',
  'POST /api/v1/leases\n\n{"ttl":"10s"}',
  'POST /api/v1/leases/7/keep-alive',
  'DELETE /api/v1/leases/7',
  'GET /api/v1/leases',
  'GET /api/v1/locks/some%20lock',
  'DELETE /api/v1/locks/x?by=me&reason=why&token=3',
  'GET /api/v1/elections',
  'GET /api/v1/services/web',
  'PUT /api/v1/services/web/w1\n\n{"address":"10.0.0.1:80","ttl":"5s","weight":3,"metadata":{"a":"b"},"takeOver":true}',
  'PUT /api/v1/services/web/w2\n\n{"address":"10.0.0.1:80","check":{"http":"http://127.0.0.1:1/","expectStatus":[200,204],"interval":"1h","removeAfter":"1h"}}',
  'POST /api/v1/services/web/w1/health?ok=false&note=full',
  'GET /openapi.json',
  'GET /health',
  'GET /metrics',
  'GET /../../../etc/passwd',
  'POST /api/v1/local/partition\nOrigin: http://evil.example\n\n{"groups":[[1],[2,3]]}',
]

const methods = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'])
/** Streams never end by themselves: what they do with hostile input is tested over sockets. */
const streams = /^\/api\/v1\/(watch|live|events|services\/[^/]*\/watch)/
const answerMsMax = 6_000

/** The API of a real node, asked without a socket in between: every request is answered, and never with a defect. */
async function api(): Promise<FuzzTarget> {
  const folder = await mkdtemp(path.join(tmpdir(), 'althing-fuzz-'))
  const world = createNodeWorld({ dataFolder: folder, logger: { log: () => {} } })
  const [port] = (await freePorts(1)) as [number]
  const members = [{ id: 1, address: `127.0.0.1:${port}` }]
  const server = await startNodeServer({ id: 1, members, clusterId: 'fuzz', dataFolder: folder, world })
  const context = httpContext({
    world,
    node: server.node,
    clusterId: 'fuzz',
    listen: '127.0.0.1:0',
    version: '0.0.0',
    metrics: async () => ({ text: '', contentType: 'text/plain' }),
  })
  const app = createHttpApp(context, { version: '0.0.0', console: new ConsoleFiles(folder) })
  while (!server.node.status().isReady) await new Promise((resolve) => setImmediate(resolve))
  return {
    name: 'http-request',
    area: 'http',
    share: 0.4,
    seeds: requests.map((text) => Buffer.from(text)),
    inputBytesMax: 4_096,
    run: (input) => answerTo(app, input),
    close: async () => {
      await closeContext(context)
      await server.close()
      await rm(folder, { recursive: true })
    },
  }
}

async function answerTo(app: App, input: Buffer): Promise<string> {
  const request = requestFrom(input)
  if (request === undefined) return 'no request'
  const reply = await inTime(Promise.resolve(app.fetch(request)))
  const text = await reply.text()
  if (reply.status === 500)
    throw new PropertyViolation('http', `${request.method} ${request.url} -> 500 ${text}`)
  if (reply.status < 400) return `accepted ${request.method} ${reply.status}`
  return `${reply.status} ${codeIn(text, reply)}`
}

/** An error is told in the one form that the API has for it. */
function codeIn(text: string, reply: Response): string {
  if (!(reply.headers.get('content-type') ?? '').includes('json')) return 'text'
  const { error } = JSON.parse(text) as { error?: { code?: string } }
  if (error?.code === undefined || !Object.hasOwn(errorCodes, error.code) || error.code === 'internal')
    throw new PropertyViolation('http', `an answer of status ${reply.status} without a code: ${text}`)
  return error.code
}

function requestFrom(input: Buffer): Request | undefined {
  const text = input.toString('latin1')
  const end = text.indexOf('\n\n')
  const [first = '', ...lines] = (end < 0 ? text : text.slice(0, end)).split('\n')
  const [method = '', target = ''] = first.split(' ')
  if (!methods.has(method) || !target.startsWith('/') || target.startsWith('//') || streams.test(target))
    return undefined
  const headers = lines.flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon <= 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]]
  })
  const body = end < 0 || method === 'GET' || method === 'HEAD' ? undefined : input.subarray(end + 2)
  try {
    return new Request(`http://127.0.0.1${target}`, {
      method,
      headers: [['Host', '127.0.0.1'], ...headers],
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    })
  } catch {
    // What no client library lets through comes over sockets only, where the HTTP parser of Node.js stands before us.
    return undefined
  }
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new PropertyViolation('time', `no answer within ${answerMsMax} ms`)),
      answerMsMax,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function texts(): FuzzTarget[] {
  return [
    text('duration', ['10s', '1.5h', '100ms', '7', '2d'], (value) => {
      const ms = parseDurationMs(value)
      if (ms !== undefined && !(Number.isFinite(ms) && ms >= 0))
        throw new PropertyViolation('duration', `${value} is read as ${ms}`)
      return ms === undefined ? 'no duration' : 'accepted'
    }),
    text('members', ['1=127.0.0.1:7400', '1=a:1,2=b:2,3=[::1]:3'], (value) => {
      parseMembers(value)
      return 'accepted'
    }),
    text('ip-address', ['127.0.0.1', '::1', 'fe80::1%eth0', '::ffff:10.0.0.1'], (value) => {
      const bytes = parseIpAddress(value)
      if (bytes !== undefined && bytes.byteLength !== 4 && bytes.byteLength !== 16)
        throw new PropertyViolation('ip-address', `${value} has ${bytes.byteLength} bytes`)
      return bytes === undefined ? 'no address' : 'accepted'
    }),
    urls(),
  ]
}

function text(name: string, seeds: readonly string[], read: (value: string) => string): FuzzTarget {
  const run = (input: Buffer): string => {
    try {
      return read(input.toString('utf8'))
    } catch (error) {
      return refusal(error, ['invalid-argument'])
    }
  }
  const bytes = seeds.map((seed) => Buffer.from(seed))
  return { name, area: 'http', share: 3, seeds: bytes, inputBytesMax: 200, run }
}

/** No URL is opened that leads anywhere: what is right goes as far as a network on which nobody answers. */
function urls(): FuzzTarget {
  const refuse = async (): Promise<never> => {
    throw unreachable
  }
  const unreachable = new PropertyViolation('reached', 'the network was asked')
  const world = createNodeWorld({ dataFolder: tmpdir(), logger: { log: () => {} } })
  const nowhere = { ...world, network: { listen: refuse, connect: refuse } }
  const seeds = ['althing://127.0.0.1:7400,node2:7401', 'althing://[::1]:7400', 'althing://a:1/orders']
  const run = async (input: Buffer): Promise<string> => {
    const url = input.toString('utf8')
    if (!url.startsWith('althing:')) return 'another scheme'
    try {
      const althing = await open(url, { world: nowhere, timeout: 1 })
      await althing.close()
      throw new PropertyViolation('url', `${url} was opened, although nobody answers`)
    } catch (error) {
      return refusal(error, ['invalid-argument', 'unavailable', 'timeout'])
    }
  }
  return {
    name: 'url',
    area: 'http',
    share: 0.5,
    seeds: seeds.map((seed) => Buffer.from(seed)),
    inputBytesMax: 200,
    run,
  }
}
