/**
 * Resolves with the first of: a signal that asks to end (Ctrl-C, SIGTERM, the terminal closing), or `ended`. A second Ctrl-C while the
 * caller cleans up ends the process at once. To be called before anything is started that must not be left behind: until then a signal ends
 * this process alone.
 */
export function untilStopped<T>(ended: Promise<T> = new Promise<T>(() => {})): Promise<T | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
    const onSignal = (signal: NodeJS.Signals): void => {
      for (const each of signals) process.off(each, onSignal)
      process.once('SIGINT', () => process.exit(130))
      process.on('SIGTERM', () => {})
      process.on('SIGHUP', () => {})
      resolve(signal)
    }
    for (const each of signals) process.on(each, onSignal)
    ended.then(resolve, reject)
  })
}
