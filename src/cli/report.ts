import { AlthingError, asAlthingError } from '../contracts/errors.ts'

/** Writes a failure to stderr (one JSON object with `--json`), and returns the exit code: 2 for wrong usage, 1 for all else. */
export function reportFailure(error: unknown, asJson: boolean): number {
  const failure = asAlthingError(error)
  if (asJson) process.stderr.write(`${JSON.stringify({ error: failure })}\n`)
  else process.stderr.write(failureText(failure))
  return failure.code === 'invalid-argument' ? 2 : 1
}

export function failureText({ code, message }: AlthingError): string {
  const text = `althing: ${message} [${code}]\n`
  // A node cannot know how its caller takes a token: here it is the environment.
  return code === 'unauthenticated'
    ? `${text}Set ALTHING_TOKEN, or ALTHING_USER and ALTHING_PASSWORD: they say who calls. (PostgreSQL and Redis are told in the URL.)\n`
    : text
}

/** What commander says of wrong usage, in the form of every other failure. */
export function usageFailure(text: string, asJson: boolean): string {
  const message = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll('\n', ' ')
  if (asJson) return `${JSON.stringify({ error: new AlthingError('invalid-argument', message) })}\n`
  return `althing: ${message} [invalid-argument]\nSee althing --help, or althing COMMAND --help.\n`
}
