import type { Channel, Thread, ThreadEntry, Threads, World } from '../../contracts/world.ts'
import type { EndCause, SimulatedLoop } from './simulated-loop.ts'

/** What the threads need of the process they are part of. */
export interface ThreadHost {
  createLoop(uncaught: (error: unknown) => void): SimulatedLoop
  createWorld(loop: SimulatedLoop): World
  /** A thread nobody watches has failed: that fails the process. */
  fail(error: unknown): void
}

const startUs = 1_000
const messageUs = 20

/** Threads of a simulated process: further loops that {@link SimulatedLoop.hold} of the main one does not concern. */
export class SimulatedThreads implements Threads {
  readonly #owner: SimulatedLoop
  readonly #host: ThreadHost

  constructor(owner: SimulatedLoop, host: ThreadHost) {
    this.#owner = owner
    this.#host = host
  }

  start<Data>(entry: ThreadEntry<Data>, data: Data): Thread {
    const thread = new SimulatedThread(this.#owner, this.#host)
    if (!this.#owner.isEnded) thread.start(entry, structuredClone(data))
    return thread
  }
}

class SimulatedThread implements Thread {
  readonly #owner: SimulatedLoop
  readonly #host: ThreadHost
  readonly #loop: SimulatedLoop
  readonly #toThread: MessageQueue
  readonly #toOwner: MessageQueue
  #exitHandler: ((error?: Error) => void) | undefined

  constructor(owner: SimulatedLoop, host: ThreadHost) {
    this.#owner = owner
    this.#host = host
    this.#loop = host.createLoop((error) => this.#exit('kill', error))
    this.#toThread = new MessageQueue(owner, this.#loop)
    this.#toOwner = new MessageQueue(this.#loop, owner)
    const forget = owner.onEnd((cause) => this.#loop.end(cause))
    this.#loop.onEnd(forget)
  }

  start<Data>(entry: ThreadEntry<Data>, data: Data): void {
    const world = this.#host.createWorld(this.#loop)
    const channel: Channel = {
      post: (message) => this.#toOwner.post(message),
      onMessage: (handler) => {
        this.#loop.ref()
        this.#toThread.onMessage(handler)
      },
    }
    this.#loop.dispatchAfter(startUs, 'thread', this, () => {
      void this.#run(async () => entry.run(world, channel, data))
    })
  }

  post(message: unknown): void {
    this.#toThread.post(message)
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#toOwner.onMessage(handler)
  }

  onExit(handler: (error?: Error) => void): void {
    this.#exitHandler = handler
  }

  async stop(): Promise<void> {
    this.#loop.end('stop')
  }

  async #run(main: () => Promise<void>): Promise<void> {
    try {
      await main()
      this.#loop.onIdle(() => this.#exit('stop'))
    } catch (error) {
      this.#exit('kill', error)
    }
  }

  #exit(cause: EndCause, error?: unknown): void {
    if (this.#loop.isEnded) return
    this.#loop.end(cause)
    const reason = error === undefined || error instanceof Error ? error : new Error(String(error))
    const handler = this.#exitHandler
    if (handler !== undefined)
      this.#owner.dispatchAfter(messageUs, 'thread-exit', this, () => handler(reason))
    else if (reason !== undefined) this.#host.fail(reason)
  }
}

/** One direction of a channel. What arrives before there is a handler waits for it. */
class MessageQueue {
  readonly #from: SimulatedLoop
  readonly #to: SimulatedLoop
  #waiting: unknown[] = []
  #handler: ((message: unknown) => void) | undefined

  constructor(from: SimulatedLoop, to: SimulatedLoop) {
    this.#from = from
    this.#to = to
  }

  post(message: unknown): void {
    if (this.#from.isEnded || this.#to.isEnded) return
    const copy = structuredClone(message)
    this.#to.dispatchAfter(messageUs, 'message', this, () => {
      if (this.#handler === undefined) this.#waiting.push(copy)
      else this.#handler(copy)
    })
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#handler = handler
    const waiting = this.#waiting
    this.#waiting = []
    for (const message of waiting) this.#to.dispatchAfter(0, 'message', this, () => this.#handler?.(message))
  }
}
