import { checkLinearizability, explainViolation, registerModel } from 'althing/testing/checkers'
import { HistoryRecorder } from 'althing/testing/history'

let timeMs = 0
const clock = { monotonicMs: () => ++timeMs }
const recorder = new HistoryRecorder(clock)

recorder.call('p1', 'write', { key: 'x', value: 7 }).ok()
recorder.call('p2', 'read', { key: 'x' }).ok(6) // nobody wrote 6

const { verdict, violation } = checkLinearizability(registerModel(), recorder.operations(), {
  clock,
  timeLimitMs: 1_000,
})
console.log(verdict)
if (violation !== undefined)
  console.log(explainViolation(registerModel(), violation, { clock }).text.includes('no place'))
