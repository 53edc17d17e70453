/** Swedish writes dates as ISO 8601 does. */
const utc = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'UTC',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})

/** A moment of the wall clock in UTC and whole seconds, rounded down: `2026-11-21 16:24:57`. */
export function utcText(wallMs: number): string {
  return utc.format(wallMs)
}
