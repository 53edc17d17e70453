import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { invalidArgument } from '../contracts/errors.ts'
import type { Clock } from '../contracts/world.ts'
import type { NodeVitals } from '../engines/cluster/node-status.ts'

type Ends = NonNullable<NodeVitals['certificates']>
export type CertificateEnds = () => Ends | undefined

/** Certificates are renewed days before they end: nobody needs to know it within the minute. */
const lookMs = 60_000
const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** When the certificates in PEM files end: of each file the first that does. Files are read again after a minute; one that cannot be read is left out. */
export function certificateEnds(
  clock: Clock,
  files: readonly (string | undefined)[],
): () => Ends | undefined {
  const paths = [...new Set(files.filter((file) => file !== undefined))]
  let ends: Ends | undefined
  let lookedMs = Number.NEGATIVE_INFINITY
  return () => {
    if (paths.length === 0) return undefined
    const nowMs = clock.monotonicMs()
    if (ends === undefined || nowMs - lookedMs >= lookMs) {
      ends = paths.flatMap(endOf)
      lookedMs = nowMs
    }
    return ends
  }
}

function endOf(file: string): Ends {
  try {
    const blocks = readFileSync(file, 'utf8').match(pemBlock) ?? []
    if (blocks.length === 0) return []
    const endsWallMs = Math.min(...blocks.map((pem) => wallMsOf(new X509Certificate(pem).validTo)))
    return [{ file, endsWallMs }]
  } catch {
    return []
  }
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
