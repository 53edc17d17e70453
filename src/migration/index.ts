/** The move of a store to another engine; `althing migrate` is made of it. */
export {
  Migration,
  type MigrationOptions,
  type MigrationProgress,
  type MigrationReport,
} from './migration.ts'
