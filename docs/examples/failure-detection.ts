import { createFailureDetector } from 'althing/membership'

const fixed = createFailureDetector({ kind: 'fixed', intervalMs: 1_000, missedMax: 4 })
fixed.heartbeat(0)
console.log(fixed.isSuspected(3_999), fixed.isSuspected(4_000)) // false true

const phi = createFailureDetector({ kind: 'phi-accrual', threshold: 8, acceptablePauseMs: 500 })
for (let ms = 0; ms <= 60_000; ms += 1_000) phi.heartbeat(ms)
console.log(phi.isSuspected(61_400), phi.isSuspected(64_000)) // false true
