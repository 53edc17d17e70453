import { z } from 'zod'
import { AlthingError, invalidArgument } from '../../../contracts/errors.ts'
import type { Watch } from '../../../contracts/store.ts'
import { keyRange, prefixKeyRange } from '../../key-range.ts'
import { watchBatchView } from '../../watch-batch-view.ts'
import { flagField, wholeField } from '../fields.ts'
import { type EventMessage, eventStream } from '../event-stream.ts'
import type { HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'

/** A listener that hears nothing else hears, this often, up to which revision nothing happened. */
const progressMs = 10_000

export function watchRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/watch',
      id: 'watch',
      tag: 'store',
      summary: 'Changes of a key or a prefix, as server-sent events',
      description: [
        'Events `created`, `events`, `progress` and `resync` carry a batch as JSON; `error` is the last one. The id of an event is the revision up',
        'to which all is told, so `Last-Event-ID` resumes after it without gap or double.',
      ].join(' '),
      query: z.object({
        key: z.string().min(1).optional(),
        prefix: z.string().optional(),
        fromRevision: wholeField
          .min(1)
          .optional()
          .describe('the first revision wanted; default: from now on'),
        previous: flagField.optional().describe('events carry the item as it was before'),
      }),
      answer: { media: 'text/event-stream' },
      handle: async ({ query, context }) => {
        const { key, prefix } = query
        if ((key === undefined) === (prefix === undefined))
          throw invalidArgument('key', { key, prefix }, "one of 'key' and 'prefix'")
        const range = key === undefined ? prefixKeyRange(prefix ?? '') : keyRange(key)
        const fromRevision = resumeFrom(context.req.header('last-event-id')) ?? query.fromRevision
        const request = {
          ...range,
          progressMs,
          ...(fromRevision === undefined ? {} : { fromRevision }),
          ...(query.previous === undefined ? {} : { previous: query.previous }),
        }
        const watch = http.store.watch(request)
        try {
          return eventStream(http, context, (ended) => batches(watch, ended))
        } catch (error) {
          watch.close()
          throw error
        }
      },
    }),
  ]
}

async function* batches(watch: Watch, ended: AbortSignal): AsyncGenerator<EventMessage> {
  const close = (): void => watch.close()
  ended.addEventListener('abort', close, { once: true })
  if (ended.aborted) close()
  try {
    for await (const batch of watch) {
      const view = watchBatchView(batch)
      yield { event: view.kind, data: JSON.stringify(view), id: String(view.revision) }
    }
  } finally {
    ended.removeEventListener('abort', close)
    close()
  }
}

function resumeFrom(lastEventId: string | undefined): number | undefined {
  if (lastEventId === undefined || lastEventId === '') return undefined
  const revision = Number(lastEventId)
  if (Number.isSafeInteger(revision) && revision >= 0) return revision + 1
  throw new AlthingError('invalid-argument', `Last-Event-ID is ${lastEventId}, but must be a revision`, {
    details: { field: 'Last-Event-ID' },
  })
}
