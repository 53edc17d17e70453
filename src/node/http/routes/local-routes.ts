import { z } from 'zod'
import { AlthingError, asAlthingError, invalidArgument } from '../../../contracts/errors.ts'
import type { Member } from '../../../replication/peer-transport.ts'
import * as answers from '../answers.ts'
import { type ControlClient, processActions } from '../control-client.ts'
import type { HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

/** Faults on purpose, for drills on a cluster that a supervisor runs on this machine. */
export function localRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/local',
      id: 'getLocal',
      tag: 'local',
      summary: 'Whether this node belongs to a local cluster under a supervisor',
      answer: { json: z.object({ supervised: z.boolean() }) },
      handle: async () => ({ supervised: http.control !== undefined }),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/local/processes',
      access: 'operator',
      id: 'listProcesses',
      tag: 'local',
      summary: 'The processes of the local cluster',
      answer: { json: z.array(answers.processStatus) },
      handle: () => supervisor(http).processes(),
    }),
    plainRoute({
      method: 'post',
      path: '/api/v1/local/processes/{name}/{action}',
      access: 'operator',
      id: 'actOnProcess',
      tag: 'local',
      summary: 'Kills (SIGKILL), pauses (SIGSTOP), resumes (SIGCONT) or starts a process',
      params: z.object({ name: z.string().min(1), action: z.enum(processActions) }),
      answer: { json: answers.processStatus },
      handle: ({ params }) => supervisor(http).act(params.name, params.action),
    }),
    partition(http),
  ]
}

function partition(http: HttpContext): Route {
  return jsonRoute({
    method: 'post',
    path: '/api/v1/local/partition',
    access: 'operator',
    id: 'partition',
    tag: 'local',
    summary: 'Cuts a node off from all other members, both ways, or connects it again',
    description: 'Clients reach it all the same: it is the network between the members that is cut.',
    body: {
      json: z.strictObject({ node: z.number().int().min(1), isolated: z.boolean() }),
      bytesMax: 1_024,
    },
    answer: {
      json: z.object({
        blocked: z
          .record(z.string(), z.array(z.number().int()))
          .describe('by member: whom it is cut off from'),
        silent: z.array(z.number().int()).describe('members that did not answer; they keep what they had'),
      }),
    },
    handle: async ({ body }) => {
      supervisor(http)
      const { members } = http.members
      if (!members.some(({ id }) => id === body.node))
        throw invalidArgument('node', body.node, `one of ${members.map(({ id }) => id).join(', ')}`)
      return setIsolated(http, body.node, body.isolated)
    },
  })
}

/** Each side drops what it has for the other, so that a message gets through neither way. */
async function setIsolated(
  http: HttpContext,
  node: number,
  isIsolated: boolean,
): Promise<{ blocked: Record<string, readonly number[]>; silent: number[] }> {
  const { members } = http.members
  const others = members.map(({ id }) => id).filter((id) => id !== node)
  const blocked: Record<string, readonly number[]> = {}
  const silent: number[] = []
  const apply = async (member: Member): Promise<void> => {
    const block = await http.members.call(member, async (client) => {
      const was = new Set((await client.status()).blocked)
      for (const peer of member.id === node ? others : [node]) {
        if (isIsolated) was.add(peer)
        else was.delete(peer)
      }
      await client.blockPeers([...was])
      return [...was]
    })
    blocked[String(member.id)] = block
  }
  await Promise.all(
    members.map((member) =>
      apply(member).catch((error: unknown) => {
        silent.push(member.id)
        http.world.logger.log('warn', 'a member could not be told of a partition', {
          member: member.id,
          error: asAlthingError(error).message,
        })
      }),
    ),
  )
  http.world.logger.log('warn', 'fault drill: partition', { node, isolated: isIsolated, silent })
  return { blocked, silent }
}

function supervisor(http: HttpContext): ControlClient {
  if (http.control !== undefined) return http.control
  throw new AlthingError(
    'not-found',
    'no supervisor runs this node: faults can be made only on a local cluster (althing up, althing demo)',
    { outcome: 'none' },
  )
}
