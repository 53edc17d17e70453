/**
 * A name below `althing.`: `NAME.service.althing`, `ID.NAME.service.althing`, and both in one zone: `NAME.service.ZONE.zone.althing`. `branch`: something may be
 * below it, but it is nothing itself.
 */
export type DnsName =
  | { readonly kind: 'apex' }
  | { readonly kind: 'branch' }
  /** `labels`: the id, if one is given, and the service; either may be several labels. `zone`: in small letters. */
  | { readonly kind: 'service'; readonly labels: readonly string[]; readonly zone: string | undefined }

/** `undefined` for what is not below `althing.` */
export function readDnsName(text: string): DnsName | undefined {
  const labels = text.replace(/\.$/, '').split('.')
  const lower = labels.map((label) => label.toLowerCase())
  if (lower.at(-1) !== 'althing') return undefined
  if (labels.length === 1) return { kind: 'apex' }
  if (lower.at(-2) === 'service') {
    if (labels.length === 2) return { kind: 'branch' }
    return { kind: 'service', labels: labels.slice(0, -2), zone: undefined }
  }
  if (lower.at(-2) !== 'zone') return { kind: 'service', labels: [], zone: undefined }
  const at = lower.lastIndexOf('service')
  if (at === -1 || at === labels.length - 3) return { kind: 'branch' }
  if (at === 0) return { kind: 'branch' }
  return { kind: 'service', labels: labels.slice(0, at), zone: lower.slice(at + 1, -2).join('.') }
}

/** Whether DNS has room for such a name: labels of 1 to 63 bytes, 253 in all. */
export function fitsDns(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => label.length >= 1 && label.length <= 63)
}
