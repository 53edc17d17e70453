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
