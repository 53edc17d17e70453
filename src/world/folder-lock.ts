import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { AlthingError } from '../contracts/errors.ts'

/**
 * Sole possession of a folder, held by the operating system: a listening unix socket in the folder, which stops answering when its process dies, however it
 * dies. Process ids play no part in it, so their reuse does no harm.
 *
 *  1. Bind and listen on a socket of a name never used before (a claim).
 *  2. Look at every other claim in the folder. One that refuses connections is dead, stays dead, and is removed; any other is alive.
 *  3. No live claim: the folder is ours.
 *
 * Of two that claim at once each listens before it looks, so at least one sees the other, and the one that sees gives way. When both do they try again
 * after different waits.
 */
export async function lockDirectory(directory: string): Promise<{ release(): Promise<void> }> {
  const sockets = await openSocketFolder(directory)
  try {
    for (let attempt = 1; ; attempt++) {
      const claim = await Claim.make(sockets.folder)
      const other = await findLiveClaim(sockets.folder, claim.name)
      if (other === undefined) {
        claim.holds = true
        return { release: () => claim.release().then(sockets.close) }
      }
      await claim.release()
      if (other.holds || attempt >= attemptsMax) throw conflict(directory, other)
      await delay(10 + Math.floor((randomBytes(1)[0] as number) / 4))
    }
  } catch (error) {
    await sockets.close()
    throw error
  }
}

interface LiveClaim {
  readonly pid: string
  readonly holds: boolean
}

const namePattern = /^LOCK-(\d+)-[0-9a-f]{16}$/
const attemptsMax = 20
const answerMsMax = 1_000
/** A unix socket's path has room for 104 bytes on macOS, 108 on Linux. */
const pathBytesMax = 100
const nameBytesMax = 32

class Claim {
  readonly name: string
  /** Set once the folder is known to be ours: others need not try again. */
  holds = false
  readonly #folder: string
  readonly #server: net.Server
  #released: Promise<void> | undefined

  private constructor(folder: string, name: string, server: net.Server) {
    this.#folder = folder
    this.name = name
    this.#server = server
  }

  static async make(folder: string): Promise<Claim> {
    const name = `LOCK-${process.pid}-${randomBytes(8).toString('hex')}`
    let claim: Claim | undefined
    const server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.end(claim?.holds === true ? 'holds' : 'claims')
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path.join(folder, name), resolve)
    })
    // The lock is for the life of the process, but does not prolong it.
    server.unref()
    claim = new Claim(folder, name, server)
    return claim
  }

  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    await fs.rm(path.join(this.#folder, this.name), { force: true })
  }
}

async function findLiveClaim(folder: string, own: string): Promise<LiveClaim | undefined> {
  for (const name of await fs.readdir(folder)) {
    const match = namePattern.exec(name)
    if (match === null || name === own) continue
    const answer = await ask(path.join(folder, name))
    if (answer === 'dead') await fs.rm(path.join(folder, name), { force: true })
    else return { pid: match[1] as string, holds: answer !== 'claims' }
  }
  return undefined
}

/** A claim that accepts but stays silent belongs to a process that is stopped: it is alive. */
function ask(socketPath: string): Promise<'dead' | 'claims' | 'holds' | 'silent'> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = net.connect(socketPath)
    socket.setTimeout(answerMsMax, () => {
      socket.destroy()
      resolve('silent')
    })
    socket.on('data', (data) => {
      answer += data.toString('latin1')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve('dead')
      else if (error.code === 'ECONNRESET' || error.code === 'EAGAIN' || error.code === 'EPIPE')
        resolve('silent')
      else reject(error)
    })
    socket.on('close', () => resolve(answer === 'claims' || answer === 'holds' ? answer : 'silent'))
  })
}

/** Where the sockets are, by a path that is short enough. */
async function openSocketFolder(
  directory: string,
): Promise<{ readonly folder: string; readonly close: () => Promise<void> }> {
  const real = await fs.realpath(directory)
  if (Buffer.byteLength(real) + nameBytesMax < pathBytesMax) return { folder: real, close: async () => {} }
  if (process.platform === 'linux') {
    const handle = await fs.open(real, fs.constants.O_RDONLY)
    return { folder: `/proc/self/fd/${handle.fd}`, close: () => handle.close() }
  }
  // Named by device and inode: the same folder has the same name, by whatever path it was reached.
  const { dev, ino } = await fs.stat(real)
  const folder = path.join(os.tmpdir(), `althing-${dev}-${ino}`)
  await fs.mkdir(folder, { recursive: true })
  return { folder, close: async () => {} }
}

function conflict(directory: string, holder: LiveClaim): AlthingError {
  return new AlthingError(
    'conflict',
    `${directory} is in use by process ${holder.pid}. Stop it first, or give this node another folder`,
    { outcome: 'none', details: { pid: Number(holder.pid) } },
  )
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
