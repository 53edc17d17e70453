/**
 * When a holder must stop to believe in its lease, by its own clock alone.
 *
 * The store starts the lease's time at some moment after the renewal was *sent*, so by a perfect clock the lease lives at least until
 * `sentMs + ttlMs`. The holder stops a tenth of the time earlier: this covers a drift between the two clocks of up to 10 %
 * (oscillators drift by less than 0.1 %; the rest is for virtual machines), and gives the application that share to stop its work.
 * Source: Gray and Cheriton, "Leases" (1989), section 3.1: the term less the allowance for clock drift.
 */
export const heldFraction = 0.9

/** Monotonic time until which a lease of `ttlMs` is held when its last acknowledged renewal was sent at `sentMs`. */
export function localDeadlineMs(sentMs: number, ttlMs: number): number {
  return sentMs + ttlMs * heldFraction
}

/** The deadline itself is outside: at that moment the lease is held no more. */
export function isHeldAt(nowMs: number, sentMs: number, ttlMs: number): boolean {
  return nowMs < localDeadlineMs(sentMs, ttlMs)
}
