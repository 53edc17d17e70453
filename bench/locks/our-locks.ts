import { type Althing, open } from 'althing'
import { temporaryFolder } from '../../test/engines/servers/server-process.ts'
import type { LockDriver } from './lock-driver.ts'

/** Our locks, as an application calls them. With `file:` the embedded engine, every write synced, in a folder that is removed afterwards. */
export class OurLocks implements LockDriver {
  readonly #althing: Althing
  readonly #removeData: () => void

  private constructor(althing: Althing, removeData: () => void) {
    this.#althing = althing
    this.#removeData = removeData
  }

  static async open(url: string): Promise<OurLocks> {
    if (url !== 'file:') return new OurLocks(await open(url), () => undefined)
    const folder = temporaryFolder('embedded')
    return new OurLocks(await open(`file:${folder.path}`), folder.remove)
  }

  async acquire(_: number, name: string): Promise<() => Promise<unknown>> {
    const lock = await this.#althing.locks.acquire(name)
    return () => lock.release()
  }

  async close(): Promise<void> {
    await this.#althing.close()
    this.#removeData()
  }
}
