import type { KeyValueView } from '../node/key-value-view.ts'
import type { TxnView } from '../node/txn-document.ts'
import type { WatchBatchView, WatchEventView } from '../node/watch-batch-view.ts'

/** One line an item: key, a tab, value. */
export function formatItems(items: readonly KeyValueView[]): string {
  return items.map((item) => `${keyText(item)}\t${valueText(item)}\n`).join('')
}

/** One line a change; nothing for a batch that tells of none. */
export function formatWatchBatch(batch: WatchBatchView): string {
  switch (batch.kind) {
    case 'events':
      return batch.events.map(formatEvent).join('')
    case 'resync': {
      const head = `# changes since revision ${batch.fromRevision} are compacted away; this is all there is at revision ${batch.revision}\n`
      return head + batch.items.map((item) => formatEvent({ type: 'put', item })).join('')
    }
    default:
      return ''
  }
}

export function formatTxn({ succeeded, revision, replies }: TxnView): string {
  const lines = replies.map((reply) => {
    if (reply.op === 'delete') return `delete: ${reply.deleted} deleted\n`
    if (reply.op === 'put') return 'put: done\n'
    return `get: ${reply.count} found\n${formatItems(reply.items)}`
  })
  return `${succeeded ? 'then' : 'else'}, revision ${revision}\n${lines.join('')}`
}

function formatEvent(event: WatchEventView): string {
  if (event.type === 'delete') return `${event.revision}\tdelete\t${keyText(event)}\n`
  return `${event.item.modRevision}\tput\t${keyText(event.item)}\t${valueText(event.item)}\n`
}

function keyText({ key, keyBase64 }: Pick<KeyValueView, 'key' | 'keyBase64'>): string {
  return key ?? `base64:${keyBase64}`
}

function valueText({ value, valueBase64 }: Pick<KeyValueView, 'value' | 'valueBase64'>): string {
  return value ?? (valueBase64 === undefined ? '' : `base64:${valueBase64}`)
}
