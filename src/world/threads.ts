import { type MessagePort, Worker } from 'node:worker_threads'
import type { Channel, Thread, ThreadEntry, Threads } from '../contracts/world.ts'
import type { TlsOptions } from './tls-options.ts'

/** What `thread-main` is given. */
export interface ThreadStart {
  readonly moduleUrl: string
  readonly exportName: string
  readonly dataFolder: string
  readonly tls?: TlsOptions
  readonly data: unknown
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))

export class NodeThreads implements Threads {
  readonly #dataFolder: string
  readonly #tls: TlsOptions | undefined

  constructor(dataFolder: string, tls?: TlsOptions) {
    this.#dataFolder = dataFolder
    this.#tls = tls
  }

  start<Data>(entry: ThreadEntry<Data>, data: Data): Thread {
    const start: ThreadStart = {
      moduleUrl: entry.moduleUrl,
      exportName: entry.exportName,
      dataFolder: this.#dataFolder,
      ...(this.#tls === undefined ? {} : { tls: this.#tls }),
      data,
    }
    return new NodeThread(
      new Worker(new URL(`./thread-main${extension}`, import.meta.url), { workerData: start }),
    )
  }
}

/** Messages that came before there was a handler wait for it, in order. */
export class MessageChannel implements Channel {
  readonly #post: (message: unknown) => void
  #handler: ((message: unknown) => void) | undefined
  #waiting: unknown[] = []

  constructor(port: Pick<MessagePort, 'postMessage'>) {
    this.#post = (message) => port.postMessage(message)
  }

  post(message: unknown): void {
    this.#post(message)
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#handler = handler
    const waiting = this.#waiting
    this.#waiting = []
    for (const message of waiting) handler(message)
  }

  deliver(message: unknown): void {
    if (this.#handler === undefined) this.#waiting.push(message)
    else this.#handler(message)
  }
}

class NodeThread extends MessageChannel implements Thread {
  readonly #worker: Worker
  #exit: { readonly error?: Error } | undefined
  #stopping = false
  #onExit: ((error?: Error) => void) | undefined

  constructor(worker: Worker) {
    super(worker)
    this.#worker = worker
    worker.on('message', (message: unknown) => this.deliver(message))
    worker.once('error', (error: Error) => this.#exited(error))
    worker.once('exit', (code) =>
      this.#exited(code === 0 ? undefined : new Error(`the thread ended with code ${code}`)),
    )
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#worker.terminate()
  }

  onExit(handler: (error?: Error) => void): void {
    this.#onExit = handler
    if (this.#exit !== undefined) queueMicrotask(() => handler(this.#exit?.error))
  }

  #exited(error: Error | undefined): void {
    if (this.#exit !== undefined || this.#stopping) return
    this.#exit = error === undefined ? {} : { error }
    this.#onExit?.(error)
  }
}
