import { scrypt } from 'node:crypto'

/** scrypt in a thread of Node's pool: the loop goes on meanwhile. */
export class NodeKeyDerivation {
  scrypt(
    password: string,
    salt: Uint8Array,
    parameters: { readonly cost: number; readonly blockSize: number; readonly parallelization: number },
  ): Promise<Uint8Array> {
    const { cost, blockSize, parallelization } = parameters
    // What the algorithm needs (RFC 7914, section 2), and half as much again.
    const maxmem = 192 * cost * blockSize * parallelization
    const options = { N: cost, r: blockSize, p: parallelization, maxmem }
    return new Promise((resolve, reject) => {
      scrypt(password, salt, 32, options, (error, derived) => {
        if (error === null) resolve(derived)
        else reject(error)
      })
    })
  }
}
