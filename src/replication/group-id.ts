import { invalidArgument } from '../contracts/errors.ts'

/** A group's number within its cluster, 1..2^32-1: given once, never reused. Group 1 is the cluster's own. */
export type GroupId = number

export const groupIdMax = 2 ** 32 - 1

export function isGroupId(value: unknown): value is GroupId {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= groupIdMax
}

export function checkGroupId(id: GroupId): void {
  if (!isGroupId(id)) throw invalidArgument('group', id, `an integer of 1 to ${groupIdMax}`)
}
