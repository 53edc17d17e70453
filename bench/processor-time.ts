import { readFileSync } from 'node:fs'

/** The kernel's USER_HZ, in which /proc counts; 100 on every Linux that Node.js runs on. */
const ticksPerSecond = 100

/** Seconds of processor time, in user and kernel mode, that the processes have used so far. NaN where there is no /proc, or a process is gone. */
export function processorSeconds(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) ticks += ticksOf(pid)
  return ticks / ticksPerSecond
}

function ticksOf(pid: number): number {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return Number.NaN
  }
  return ticksFrom(stat)
}

/** utime and stime are fields 14 and 15; field 2, the name, may itself contain spaces and parentheses. */
export function ticksFrom(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
