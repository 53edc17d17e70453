import { useEffect, useState } from 'preact/hooks'
import { ApiError } from '../api/client.ts'

/** What a page asks for again and again while it is open. */
export interface Polled<T> {
  /** As last read: it stays while it cannot be read. */
  readonly value: T | undefined
  /** Why it could not be read just now. */
  readonly problem: string | undefined
  refresh(): void
}

const everyMs = 2_000

/** `ask` must be the same function at every call. */
export function usePolled<T>(ask: () => Promise<T>): Polled<T> {
  const [value, setValue] = useState<T>()
  const [problem, setProblem] = useState<string>()
  const [round, setRound] = useState(0)
  useEffect(() => {
    let isOver = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async (): Promise<void> => {
      try {
        const next = await ask()
        if (isOver) return
        setValue(() => next)
        setProblem(undefined)
      } catch (error) {
        if (isOver) return
        setProblem(error instanceof ApiError ? error.message || error.code : String(error))
      }
      timer = setTimeout(() => void look(), everyMs)
    }
    void look()
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [ask, round])
  return { value, problem, refresh: () => setRound((before) => before + 1) }
}
