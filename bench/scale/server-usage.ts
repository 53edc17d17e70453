import { readFileSync } from 'node:fs'

const mebibyte = 1024 * 1024

/** Resident memory of processes, MiB in all. NaN where there is no /proc. */
export function residentMebibytes(pids: readonly number[]): number {
  let bytes = 0
  for (const pid of pids) bytes += residentBytes(pid)
  return bytes / mebibyte
}

function residentBytes(pid: number): number {
  try {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return found === null ? Number.NaN : Number(found[1]) * 1024
  } catch {
    return Number.NaN
  }
}
