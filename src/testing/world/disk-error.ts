import { AlthingError, type ErrorCode } from '../../contracts/errors.ts'

const meanings = {
  EIO: ['disk-failed', 'input/output error'],
  ENOSPC: ['disk-failed', 'no space left on device'],
  ENOENT: ['not-found', 'no such file or directory'],
  EISDIR: ['not-found', 'illegal operation on a directory'],
  ENOTDIR: ['disk-failed', 'not a directory'],
  EBADF: ['closed', 'the file has been closed'],
} as const satisfies Readonly<Record<string, readonly [ErrorCode, string]>>

/** An error as the Node world reports it: the system's error as `cause`, with its `code` and `syscall`. */
export function diskError(code: keyof typeof meanings, operation: string, path: string): AlthingError {
  const [errorCode, text] = meanings[code]
  const cause = Object.assign(new Error(`${code}: ${text}, ${operation} '${path}'`), {
    code,
    syscall: operation,
    path,
  })
  const mayBeDone = errorCode === 'disk-failed' && operation !== 'read'
  return new AlthingError(errorCode, `${operation} of ${path} failed: ${text}`, {
    cause,
    outcome: mayBeDone ? 'unknown' : 'none',
  })
}
