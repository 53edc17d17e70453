import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

interface UpLine {
  readonly url: string
  readonly console: string
  readonly nodes: readonly { readonly id: number; readonly http: string }[]
}

/** `althing up`, as a user would start it, in a folder of its own. */
export class UpCluster {
  readonly url: string
  readonly #nodes: UpLine['nodes']
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #folder: string

  static async start(nodes: number): Promise<UpCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'althing-console-'))
    const args = [command, 'up', '--nodes', String(nodes), '--data', join(folder, 'data'), '--json']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const line = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve)
      child.once('exit', (code) => reject(new Error(`althing up ended with code ${code}`)))
    })
    return new UpCluster(JSON.parse(line) as UpLine, child, exited, folder)
  }

  private constructor(line: UpLine, child: ChildProcess, exited: Promise<void>, folder: string) {
    this.url = line.url
    this.#nodes = line.nodes
    this.#child = child
    this.#exited = exited
    this.#folder = folder
  }

  consoleOf(node: number): string {
    const found = this.#nodes.find(({ id }) => id === node)
    if (found === undefined) throw new Error(`there is no node ${node}`)
    return `http://${found.http}/`
  }

  /** The leader, as node 1 sees it. */
  async leader(): Promise<number> {
    const reply = await fetch(`${this.consoleOf(1)}api/v1/cluster`)
    return ((await reply.json()) as { readonly leader: number }).leader
  }

  async put(key: string, value: string): Promise<void> {
    const reply = await fetch(`${this.consoleOf(1)}api/v1/kv/${encodeURIComponent(key)}`, {
      method: 'PUT',
      body: value,
    })
    if (!reply.ok) throw new Error(`put ${key}: ${reply.status} ${await reply.text()}`)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
