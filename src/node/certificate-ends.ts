import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { invalidArgument } from '../contracts/errors.ts'
import type { Clock } from '../contracts/world.ts'
import type { NodeVitals } from '../engines/cluster/node-status.ts'

/** What is known of the certificates of a node. */
export type CertificateVitals = Pick<NodeVitals, 'certificates' | 'unreadableCertificates'>

/** Certificates are renewed days before they end: nobody needs to know it within the minute. */
const lookMs = 60_000
/** A file that is just being written is whole soon, and who mends one wants to see it. */
const lookAgainMs = 5_000
const problemLengthMax = 200
const pemBegin = '-----BEGIN CERTIFICATE-----'
const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/**
 * When the certificates in PEM files end (of each file the first that does), and which files cannot be read. Files are read again after a minute, and
 * after 5 s while one of them cannot be.
 */
export function certificateEnds(
  clock: Clock,
  files: readonly (string | undefined)[],
): () => CertificateVitals {
  const paths = [...new Set(files.filter((file) => file !== undefined))]
  let found: CertificateVitals = {}
  let lookAtMs = Number.NEGATIVE_INFINITY
  return () => {
    const nowMs = clock.monotonicMs()
    if (paths.length > 0 && nowMs >= lookAtMs) {
      found = readAll(paths)
      lookAtMs = nowMs + (found.unreadableCertificates === undefined ? lookMs : lookAgainMs)
    }
    return found
  }
}

function readAll(paths: readonly string[]): CertificateVitals {
  const certificates: { file: string; endsWallMs: number }[] = []
  const unreadableCertificates: { file: string; problem: string }[] = []
  for (const file of paths) {
    try {
      certificates.push({ file, endsWallMs: endOf(readFileSync(file, 'utf8')) })
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      unreadableCertificates.push({ file, problem: problem.slice(0, problemLengthMax) })
    }
  }
  return { certificates, ...(unreadableCertificates.length === 0 ? {} : { unreadableCertificates }) }
}

/** Throws when the text has no certificate, or one that is not whole or cannot be parsed. */
function endOf(text: string): number {
  const blocks = text.match(pemBlock) ?? []
  if (blocks.length < text.split(pemBegin).length - 1) throw new Error('it ends within a certificate')
  if (blocks.length === 0) throw new Error('it holds no certificate in PEM')
  return Math.min(...blocks.map((pem) => wallMsOf(new X509Certificate(pem).validTo)))
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Milliseconds since 1970 of a time as certificates show it: `Nov  1 16:51:39 2026 GMT`. */
export function wallMsOf(text: string): number {
  const match = /^(\w{3}) +(\d+) (\d+):(\d+):(\d+) (\d+) GMT$/.exec(text)
  if (match === null) throw invalidArgument('validTo', text, 'a time such as Nov  1 16:51:39 2026 GMT')
  const [day, hours, minutes, seconds, year] = match.slice(2).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  // Years begin in March, so that the leap day is the last of its year.
  const month = (months.indexOf(match[1] ?? '') + 10) % 12
  const years = month >= 10 ? year - 1 : year
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400)
  const days = 365 * years + leapDays + Math.floor((153 * month + 2) / 5) + day - 1 - 719_468
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000
}
