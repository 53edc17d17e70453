/** An invariant that did not hold: what `althing sim` reports. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation'
  /** Name of the invariant, in kebab-case; the file that judges it has the same name. */
  readonly invariant: string
  /** More lines for people: the history that shows it, the findings after the first. */
  readonly explanation: string

  constructor(invariant: string, message: string, explanation = '') {
    super(`${invariant}: ${message}`)
    this.invariant = invariant
    this.explanation = explanation
  }
}
