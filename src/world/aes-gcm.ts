import { createCipheriv, createDecipheriv } from 'node:crypto'

const tagBytes = 16

/** AES-256-GCM by Node's own library. The result of `seal` ends with the tag. */
export class NodeAesGcm {
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, bound: Uint8Array): Uint8Array {
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    cipher.setAAD(bound)
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }

  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Uint8Array | undefined {
    if (nonce.length !== 12 || sealed.length < tagBytes) return undefined
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
    decipher.setAAD(bound)
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()])
    } catch {
      return undefined
    }
  }
}
