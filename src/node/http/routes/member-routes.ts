import { z } from 'zod'
import { AlthingError } from '../../../contracts/errors.ts'
import type { Member } from '../../../replication/peer-transport.ts'
import * as answers from '../answers.ts'
import type { HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

/** A change of members goes on by itself: the answer says how far it is by then. */
const waitMs = 5_000
const bodyBytesMax = 1_024

const id = z.coerce.number().int().min(1)
const address = z.string().min(1).max(255).optional().describe('where it will listen, `host:port`')

/** Who belongs to the cluster, and changes of it. They are made by the leader, on whichever node they are asked for. */
export function memberRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/members',
      access: 'overview',
      id: 'listMembers',
      tag: 'members',
      summary: 'The members as the leader sees them, with those that are invited or leave',
      answer: { json: answers.memberList },
      handle: () => http.node.operate('member.list', null),
    }),
    inviteRoute(http),
    replaceRoute(http),
    plainRoute({
      method: 'delete',
      path: '/api/v1/members/{id}',
      access: 'operator',
      id: 'removeMember',
      tag: 'members',
      summary:
        'Removes a member, or takes an invitation back: it stops, and may not come back under its number',
      params: z.object({ id }),
      query: z.object({
        force: z.stringbool().optional().describe('even where no safe quorum would be left'),
      }),
      answer: { json: z.object({ id: z.number().int(), isRemoved: z.boolean() }) },
      handle: ({ params, query }) =>
        http.node.operate('member.remove', { id: params.id, waitMs, ...forced(query.force) }),
    }),
    plainRoute({
      method: 'post',
      path: '/api/v1/members/{id}/promote',
      access: 'operator',
      id: 'promoteMember',
      tag: 'members',
      summary: 'Gives a learner a vote, as soon as it has caught up',
      params: z.object({ id }),
      answer: { json: z.object({ id: z.number().int(), isVoter: z.boolean() }) },
      handle: ({ params }) => http.node.operate('member.promote', { id: params.id, waitMs }),
    }),
    ...nodeRoutes(http),
  ]
}

function inviteRoute(http: HttpContext): Route {
  return jsonRoute({
    method: 'post',
    path: '/api/v1/members',
    access: 'operator',
    id: 'addMember',
    tag: 'members',
    summary: 'Invites a new member: the answer has the token with which it joins',
    body: {
      json: z.strictObject({
        address,
        learner: z.boolean().optional().describe('it stays without a vote until it is promoted'),
      }),
      bytesMax: bodyBytesMax,
    },
    answer: { json: answers.invitation },
    handle: ({ body }) => http.node.operate('member.add', body),
  })
}

function replaceRoute(http: HttpContext): Route {
  return jsonRoute({
    method: 'post',
    path: '/api/v1/members/{id}/replace',
    access: 'operator',
    id: 'replaceMember',
    tag: 'members',
    summary: 'Invites a member in place of one that is dead, which leaves once the new one has caught up',
    params: z.object({ id }),
    body: {
      json: z.strictObject({ address, force: z.boolean().optional() }),
      bytesMax: bodyBytesMax,
    },
    answer: { json: answers.invitation },
    handle: ({ params, body }) =>
      http.node.operate('member.replace', {
        dead: params.id,
        ...(body.address === undefined ? {} : { address: body.address }),
        ...forced(body.force),
      }),
  })
}

/** What is asked of one node itself. */
function nodeRoutes(http: HttpContext): Route[] {
  const route = (
    action: string,
    name: string,
    summary: string,
    handle: (member: Member) => Promise<unknown>,
  ): Route =>
    plainRoute({
      method: 'post',
      path: `/api/v1/members/{id}/${action}`,
      access: 'operator',
      id: name,
      tag: 'members',
      summary,
      params: z.object({ id }),
      answer: { json: z.object({ id: z.number().int(), leading: z.number().int().optional() }) },
      handle: async ({ params }) => {
        const member = http.members.members.find((each) => each.id === params.id)
        if (member === undefined)
          throw new AlthingError('not-found', `there is no member ${params.id}`, { outcome: 'none' })
        return { id: member.id, ...((await handle(member)) as object | null) }
      },
    })
  return [
    route('drain', 'drainMember', 'Hands over all that a node leads and keeps new clients away', (member) =>
      http.members.call(member, (client) => client.operate('node.drain', { withinMs: waitMs }, 2 * waitMs)),
    ),
    route('undrain', 'undrainMember', 'Takes a drain back', (member) =>
      http.members.call(member, (client) => client.operate('node.undrain')),
    ),
    route('lead', 'transferLeadership', 'Asks the leader to hand over to this member', async (member) => {
      const { leader } = http.node.status()
      const from = http.members.members.find((each) => each.id === leader)
      if (from === undefined) throw new AlthingError('unavailable', 'no leader is known', { outcome: 'none' })
      if (leader !== member.id)
        await http.members.call(from, (client) => client.transferLeadership(member.id))
      return null
    }),
  ]
}

function forced(force: boolean | undefined): { readonly force?: true } {
  return force === true ? { force } : {}
}
