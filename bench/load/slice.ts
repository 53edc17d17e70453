/** What several callers did in one slice of time, each with its next call when the last one was answered. */
export interface Slice {
  readonly operationsPerSecond: number
  readonly failures: number
  readonly failure?: string
}

/** Runs `callers` closed loops for `sliceMs`. Every call that was begun is waited for, and counts with the time that it took. */
export async function runSlice(
  callers: number,
  sliceMs: number,
  operate: (caller: number, turn: number) => Promise<unknown>,
): Promise<Slice> {
  let done = 0
  let failures = 0
  let failure: string | undefined
  const startMs = performance.now()
  const endMs = startMs + sliceMs
  const loop = async (caller: number): Promise<void> => {
    for (let turn = 0; performance.now() < endMs; turn++) {
      try {
        await operate(caller, turn)
        done++
      } catch (error) {
        failures++
        failure = String(error)
      }
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => loop(caller)))
  const operationsPerSecond = done / ((performance.now() - startMs) / 1_000)
  return { operationsPerSecond, failures, ...(failure === undefined ? {} : { failure }) }
}
