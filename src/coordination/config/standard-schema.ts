/**
 * What is used of Standard Schema version 1 (https://standardschema.dev): zod, valibot, arktype and others have it. Where the schema can tell its own form as JSON Schema
 * (the Standard JSON Schema extension), that form can be stored with a service.
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
    readonly jsonSchema?: { readonly input: (options: { readonly target: string }) => unknown } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema says against a value. `path` leads to it: names and indexes. */
export interface SchemaIssue {
  readonly path: readonly string[]
  readonly message: string
}

export function isStandardSchema(schema: unknown): schema is StandardSchema {
  const isHolder = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  if (!isHolder || !('~standard' in schema)) return false
  const standard = schema['~standard'] as Partial<StandardSchema['~standard']> | null
  return standard?.version === 1 && typeof standard.validate === 'function'
}

export function issueFrom({ message, path = [] }: StandardIssue): SchemaIssue {
  return {
    path: path.map((part) => String(typeof part === 'object' ? part.key : part)),
    message,
  }
}
