import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NodeLogger } from '../../world/logger.ts'
import { createNodeWorld } from '../../world/node-world.ts'
import { freePorts } from '../free-ports.ts'
import { type NodeServer, type NodeServerOptions, startNodeServer } from '../node-server.ts'

/** A node with its HTTP face, on free ports of this machine, in a folder of its own. */
export interface HttpTestBed extends AsyncDisposable {
  readonly server: NodeServer
  readonly base: string
  readonly folder: string
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** The JSON of a reply that must have this status. */
  json(path: string, init?: RequestInit, status?: number): Promise<unknown>
}

export async function openHttpTestBed(
  options: Partial<NodeServerOptions> & { readonly silentMembers?: number; readonly isReady?: boolean } = {},
): Promise<HttpTestBed> {
  const { silentMembers = 0, isReady = silentMembers === 0, ...server } = options
  const folder = await mkdtemp(join(tmpdir(), 'althing-http-'))
  const ports = await freePorts(2 + silentMembers)
  const members = [ports[0], ...ports.slice(2)].map((port, i) => ({
    id: i + 1,
    address: `127.0.0.1:${port}`,
  }))
  const node = await startNodeServer({
    id: 1,
    members,
    clusterId: 'test',
    dataFolder: folder,
    http: `127.0.0.1:${ports[1]}`,
    raft: { electionTimeoutMs: 50, heartbeatMs: 10 },
    world: createNodeWorld({ dataFolder: folder, logger: new NodeLogger('error') }),
    ...server,
  })
  const base = `http://${node.httpAddress}`
  const bed: HttpTestBed = {
    server: node,
    base,
    folder,
    fetch: (path, init) => fetch(base + path, init),
    json: async (path, init, status = 200) => {
      const reply = await fetch(base + path, init)
      const text = await reply.text()
      if (reply.status !== status) throw new Error(`${path} answered ${reply.status}: ${text}`)
      return JSON.parse(text) as unknown
    },
    [Symbol.asyncDispose]: async () => {
      await node.close()
      await rm(folder, { recursive: true })
    },
  }
  while (isReady && !node.node.status().isReady) await new Promise((resolve) => setImmediate(resolve))
  return bed
}

export interface ServerEvent {
  readonly event: string
  readonly id?: string
  readonly data: unknown
}

/** The events of a stream in turn. Leaving the loop ends the request. */
export async function* serverEvents(
  url: string,
  headers: Record<string, string> = {},
): AsyncGenerator<ServerEvent> {
  const ended = new AbortController()
  const reply = await fetch(url, { headers, signal: ended.signal })
  let text = ''
  try {
    for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString('utf8')
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = parseEvent(text.slice(0, end))
        text = text.slice(end + 2)
        if (event !== undefined) yield event
      }
    }
  } finally {
    ended.abort()
  }
}

function parseEvent(text: string): ServerEvent | undefined {
  const fields = new Map(
    text.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  const event = fields.get('event')
  const id = fields.get('id')
  if (event === undefined) return undefined
  return {
    event,
    ...(id === undefined ? {} : { id }),
    data: JSON.parse(fields.get('data') ?? 'null') as unknown,
  }
}
