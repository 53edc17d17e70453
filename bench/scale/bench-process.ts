import { type ChildProcess, fork } from 'node:child_process'

/** What a process of the benchmark can be asked: each takes one argument and resolves with what can be sent as JSON. */
type Calls<All> = { [Name in keyof All]: (argument: never) => Promise<unknown> }

type Answer = { readonly reply?: unknown } | { readonly failure: string }

/** A process of the benchmark's own, which does one thing after the other as it is asked. Nothing else that is measured shares its loop or its heap. */
export class BenchProcess<All extends Calls<All>> {
  readonly #child: ChildProcess
  readonly #waiting: { resolve(reply: unknown): void; reject(error: Error): void }[] = []

  /** `program`: a module that calls {@link answerParent}. */
  constructor(program: URL) {
    this.#child = fork(program)
    this.#child.on('message', (answer: Answer) => {
      const asked = this.#waiting.shift()
      if ('failure' in answer) asked?.reject(new Error(answer.failure))
      else asked?.resolve(answer.reply)
    })
    this.#child.once('exit', (code, signal) => {
      const ended = new Error(`a process of the benchmark ended (${signal ?? code})`)
      for (const { reject } of this.#waiting.splice(0)) reject(ended)
    })
  }

  get pids(): readonly number[] {
    return this.#child.pid === undefined ? [] : [this.#child.pid]
  }

  ask<Name extends keyof All & string>(
    name: Name,
    argument: Parameters<All[Name]>[0],
  ): Promise<Awaited<ReturnType<All[Name]>>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as (reply: unknown) => void, reject })
      this.#child.send({ name, argument })
    })
  }

  /** SIGKILL. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** The other end of {@link BenchProcess}. Ends with the parent. */
export function answerParent<All extends Calls<All>>(calls: All): void {
  let last: Promise<unknown> = Promise.resolve()
  process.on('message', ({ name, argument }: { readonly name: keyof All; readonly argument: never }) => {
    last = last
      .then(() => calls[name](argument))
      .then(
        (reply) => process.send?.({ reply }),
        (error: unknown) => process.send?.({ failure: error instanceof Error ? error.stack : String(error) }),
      )
  })
  process.on('disconnect', () => process.exit(0))
}
