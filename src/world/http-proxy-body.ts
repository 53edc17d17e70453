import type { IncomingMessage } from 'node:http'
import { type Readable, Transform } from 'node:stream'

export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError'
}

export interface RequestBodyBounds {
  readonly requestBodyBytesMax: number
  readonly replayBytesMax: number
}

/**
 * A request's body: held whole when it is short, so that it can be sent again; else its beginning is held and the rest flows through at the pace of the
 * instance, once.
 */
export class RequestBody {
  readonly #request: IncomingMessage
  readonly #bounds: RequestBodyBounds
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #isWhole = false
  #isSpent = false

  constructor(request: IncomingMessage, bounds: RequestBodyBounds) {
    this.#request = request
    this.#bounds = bounds
  }

  static isAnnounced(request: IncomingMessage): boolean {
    const length = request.headers['content-length']
    return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  }

  static announcedBytes(request: IncomingMessage): number {
    return Number(request.headers['content-length'] ?? 0)
  }

  /** Nothing of it has gone out, or all of it is held. */
  get canReplay(): boolean {
    return this.#isWhole || !this.#isSpent
  }

  /** Resolves once the body is whole, or longer than what is held. Rejects when the client breaks off. */
  gather(): Promise<void> {
    const request = this.#request
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        request.pause()
        request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', reject)
        resolve()
      }
      const onData = (chunk: Buffer): void => {
        this.#chunks.push(chunk)
        this.#bytes += chunk.length
        if (this.#bytes > this.#bounds.replayBytesMax) settle()
      }
      const onEnd = (): void => {
        this.#isWhole = true
        settle()
      }
      const onClose = (): void => reject(new Error('the client broke off inside the body'))
      request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', reject)
    })
  }

  /** The body for one attempt. A long one can be opened once. */
  open(): Buffer | Readable {
    if (this.#isWhole) return Buffer.concat(this.#chunks)
    this.#isSpent = true
    const max = this.#bounds.requestBodyBytesMax
    const request = this.#request
    let bytes = 0
    const through = new Transform({
      transform(chunk: Buffer, _encoding, done): void {
        bytes += chunk.length
        if (bytes > max) done(new BodyTooLargeError(`the body is longer than ${max} bytes`))
        else done(null, chunk)
      },
    })
    for (const chunk of this.#chunks.splice(0)) through.write(chunk)
    const onClose = (): void => {
      if (!request.complete) through.destroy(new Error('the client broke off inside the body'))
    }
    request.once('close', onClose)
    through.once('close', () => {
      request.off('close', onClose)
      request.unpipe(through)
      // What is left must be read, or the connection could not be used for the reply's successor.
      request.resume()
    })
    // Its consumer hears of the error too; without a listener here one that comes after the consumer has left would end the process.
    through.on('error', () => {})
    request.pipe(through)
    return through
  }
}
