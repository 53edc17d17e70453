import { z } from 'zod'
import { AlthingError } from '../../../contracts/errors.ts'
import { currentCaller } from '../caller-context.ts'
import type { HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'

const login = z.object({
  user: z.string().describe('empty while access control is off'),
  accessControl: z.boolean().describe('whether callers have to sign in'),
})

/** For the console: a browser signs in once, and is known by a cookie from then on. Programs send `Authorization` with each request instead. */
export function loginRoutes(http: HttpContext): Route[] {
  const shown = (): { user: string; accessControl: boolean } => {
    const { control } = http.access
    return { user: control.principal(currentCaller().principal).name, accessControl: control.isEnabled }
  }
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/login',
      id: 'getLogin',
      tag: 'access',
      summary: 'Who the caller is',
      answer: { json: login },
      handle: async () => shown(),
    }),
    plainRoute({
      method: 'post',
      path: '/api/v1/login',
      id: 'login',
      tag: 'access',
      summary: 'Signs a browser in: the answer sets a cookie',
      description: 'With `Authorization: Bearer TOKEN`, or Basic with user and password.',
      answer: { json: login },
      handle: async ({ context }) => {
        if (context.req.header('authorization') === undefined)
          throw new AlthingError('unauthenticated', 'the Authorization header is missing', {
            outcome: 'none',
          })
        context.header('Set-Cookie', http.access.logins.begin(currentCaller().principal))
        return shown()
      },
    }),
    plainRoute({
      method: 'delete',
      path: '/api/v1/login',
      id: 'logout',
      tag: 'access',
      summary: 'Signs the browser out',
      access: 'open',
      answer: { json: z.object({ ok: z.boolean() }) },
      handle: async ({ context }) => {
        context.header('Set-Cookie', http.access.logins.end(context.req.raw))
        return { ok: true }
      },
    }),
  ]
}
