import { prefixEnd, textFromBytes } from '../../base/bytes.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import { type GroupDescriptor, groupKeys, isSettled } from '../../engines/cluster/groups/group-descriptor.ts'
import { type MemberRecord, memberKeys } from '../../engines/cluster/membership/member-record.ts'

/** What the cluster has written down about itself, as its committed log says. */
export class SystemRecords {
  readonly #model: () => StoreModel

  constructor(model: () => StoreModel) {
    this.#model = model
  }

  get<T>(key: string): T | undefined {
    const [kv] = this.#model().range({ key }).kvs
    return kv && (JSON.parse(textFromBytes(kv.value)) as T)
  }

  get members(): MemberRecord[] {
    return this.#list<MemberRecord>(memberKeys.prefix)
  }

  get groups(): GroupDescriptor[] {
    return this.#list<GroupDescriptor>(groupKeys.prefix)
  }

  /** Some change of members or places is not at its end. */
  get isChanging(): boolean {
    return (
      this.members.some(({ state }) => state === 'leaving') || this.groups.some((group) => !isSettled(group))
    )
  }

  #list<T>(prefix: string): T[] {
    const { kvs } = this.#model().range({ key: prefix, end: prefixEnd(prefix) ?? null })
    return kvs.map(({ value }) => JSON.parse(textFromBytes(value)) as T)
  }
}
