import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Certificates are made by `openssl`; where it is not installed, tests that need them do not run, and say so. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** An authority for tests, in a folder, and the certificates that it has given out. */
export class TestAuthority {
  readonly caFile: string
  readonly #folder: string
  readonly #caKey: string

  constructor(folder: string, name = 'authority') {
    this.#folder = folder
    this.caFile = join(folder, `${name}.pem`)
    this.#caKey = join(folder, `${name}.key`)
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      this.#caKey,
      '-out',
      this.caFile,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    )
  }

  /** For 127.0.0.1 and localhost. The same `file` again replaces it by one with a key of its own. */
  issue(commonName: string, file = commonName): CertificateFiles {
    const at = (ending: string): string => join(this.#folder, `${file}.${ending}`)
    writeFileSync(at('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n')
    openssl('req', ...newKey, '-keyout', at('key'), '-out', at('csr'), '-subj', `/CN=${commonName}`)
    const signer = ['-CA', this.caFile, '-CAkey', this.#caKey, '-set_serial', String(++serial)]
    openssl(
      'x509',
      '-req',
      '-in',
      at('csr'),
      ...signer,
      '-days',
      '2',
      '-extfile',
      at('ext'),
      '-out',
      at('pem'),
    )
    return { certFile: at('pem'), keyFile: at('key') }
  }
}

let serial = 1_000

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
