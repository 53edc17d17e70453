export type { LoggedEvent } from './event-log.ts'
export { type CrashRule, sectorBytes } from './file-content.ts'
export { defaultLink, type LinkConditions, type NetworkRule } from './network-links.ts'
export { answerHttp, type SimulatedCommands } from './probe-port.ts'
export { SeededRandom } from './seeded-random.ts'
export { SimulatedClock } from './simulated-clock.ts'
export {
  type BitFlip,
  type Damage,
  type DiskConditions,
  type Misdirection,
  SimulatedDisk,
} from './simulated-disk.ts'
export { LogBook, type LogLine } from './simulated-logger.ts'
export { SimulatedNetwork, type Undo } from './simulated-network.ts'
export {
  type CrashKind,
  type ProcessExit,
  type ProcessOptions,
  SimulatedProcess,
} from './simulated-process.ts'
export { type RunOptions, Simulation, type SimulationOptions } from './simulation.ts'
export { SimulationError } from './simulation-error.ts'
export { type FaultClass, faultClasses } from './fault-classes.ts'
export { FaultInjector, type FaultInjectorOptions, type InjectedFault } from './fault-injector.ts'
export { drawFaultPlan, type FaultPlan, type FaultRate, parseFaultClasses } from './fault-plan.ts'
export { minorityOf, nothingStops, type SurvivabilityRule } from './survivability.ts'
