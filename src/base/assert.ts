/** Thrown when the program itself is wrong: a broken invariant, never a condition of the outside world. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
  readonly values: Readonly<Record<string, unknown>>

  constructor(message: string, values: Readonly<Record<string, unknown>>) {
    const shown = Object.entries(values).map(([name, value]) => `${name}=${show(value)}`)
    super(shown.length === 0 ? message : `${message} (${shown.join(', ')})`)
    this.values = values
  }
}

/** Throws an {@link AssertionError} that prints `values` unless `condition` holds. On in production too. */
export function assert(
  condition: unknown,
  message: string,
  values: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new AssertionError(message, values)
}

/** For the end of an exhaustive switch: the compiler proves that no member is left. */
export function unreachable(value: never): never {
  throw new AssertionError('unreachable case', { value })
}

function show(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
}
