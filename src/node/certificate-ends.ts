import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
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
    const endsWallMs = Math.min(...blocks.map((pem) => Date.parse(new X509Certificate(pem).validTo)))
    return [{ file, endsWallMs }]
  } catch {
    return []
  }
}
