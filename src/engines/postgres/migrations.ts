import { applying } from './sql/applying.ts'
import { keeping } from './sql/keeping.ts'
import { putting } from './sql/putting.ts'
import { reading } from './sql/reading.ts'
import { tables } from './sql/tables.ts'
import { writing } from './sql/writing.ts'

export interface Migration {
  readonly version: number
  readonly name: string
  /** `schema` is a quoted identifier, `channel` the name that changes are notified under. */
  readonly sql: (schema: string, channel: string) => string
}

/** In order, without gaps. One that has been released is never changed: what must become different takes another. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'keys, history, leases, sessions and the functions that change them',
    sql: (schema, channel) =>
      tables(schema) +
      reading(schema) +
      writing(schema) +
      applying(schema, channel) +
      keeping(schema, channel),
  },
  { version: 2, name: 'puts by a function of their own', sql: putting },
]
