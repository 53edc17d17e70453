const key = 'althing.operator'

/** Who has last acted on this browser: offered again for the next record. */
export function operatorName(): string {
  return localStorage.getItem(key) ?? ''
}

export function rememberOperator(name: string): void {
  localStorage.setItem(key, name)
}
