import type { Timers } from '../contracts/world.ts'
import yoctoSpinner from 'yocto-spinner'

/** Shows that something goes on while it takes longer than a moment. Silent with `--json` and where nobody looks. */
export async function withProgress<T>(text: string, isShown: boolean, work: () => Promise<T>): Promise<T> {
  if (!isShown || !process.stderr.isTTY) {
    if (isShown) process.stderr.write(`${text} ...\n`)
    return work()
  }
  const spinner = yoctoSpinner({ text, stream: process.stderr }).start()
  try {
    const value = await work()
    spinner.success()
    return value
  } catch (error) {
    spinner.error()
    throw error
  }
}

/** A moment that a person bears without a word. */
const quietMs = 1_000

/** {@link withProgress} for work that is mostly quick: a word appears only once it has taken longer than a second. */
export async function withSlowProgress<T>(
  timers: Timers,
  text: string,
  isShown: boolean,
  work: () => Promise<T>,
): Promise<T> {
  let spinner: ReturnType<typeof yoctoSpinner> | undefined
  const timer = timers.after(quietMs, () => {
    if (!isShown) return
    if (process.stderr.isTTY) spinner = yoctoSpinner({ text, stream: process.stderr }).start()
    else process.stderr.write(`${text} ...\n`)
  })
  try {
    return await work()
  } finally {
    timer.cancel()
    spinner?.stop()
  }
}

/** Shows a number that grows, on a terminal only. `end` may be called more than once. */
export function countingProgress(
  text: string,
  isShown: boolean,
  format: (value: number) => string,
): { show(value: number): void; end(): void } {
  if (!isShown || !process.stderr.isTTY) return { show: () => {}, end: () => {} }
  const spinner = yoctoSpinner({ text, stream: process.stderr }).start()
  return {
    show: (value) => {
      spinner.text = `${text} ${format(value)}`
    },
    end: () => void spinner.stop(),
  }
}
