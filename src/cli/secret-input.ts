import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import { readInput } from './read-input.ts'

const bytesMax = 64 * 1024

/** A file's text without what surrounds it; `-` reads standard input. Rejects with `not-found`. */
export async function secretIn(file: string): Promise<string> {
  const bytes = await readInput(file === '-' ? '-' : `@${file}`, bytesMax)
  return Buffer.from(bytes).toString('utf8').trim()
}

/**
 * A new password: from a file, from standard input (`-`), or asked for twice at the terminal, where it is not shown. Never from the command line: other users of the machine
 * see that. Rejects with `invalid-argument`.
 */
export async function newPassword(file: string | undefined): Promise<string> {
  if (file !== undefined) return secretIn(file)
  if (!process.stdin.isTTY)
    throw invalidArgument(
      '--password-file',
      undefined,
      'a file, or - for standard input: there is no terminal to ask at',
    )
  const password = await ask('Password: ')
  if (password === (await ask('The same again: '))) return password
  throw new AlthingError('invalid-argument', 'the two passwords are not the same', { outcome: 'none' })
}

/** One line from the terminal, not shown. */
function ask(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(prompt)
  stdin.setRawMode(true)
  stdin.resume()
  stdin.setEncoding('utf8')
  return new Promise((resolve, reject) => {
    let text = ''
    const end = (): void => {
      stdin.removeListener('data', take)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
    }
    const take = (chunk: string): void => {
      for (const char of chunk) {
        if (char === '\r' || char === '\n') {
          end()
          return resolve(text)
        }
        if (char === '\u0003') {
          end()
          return reject(new AlthingError('aborted', 'given up', { outcome: 'none' }))
        }
        text = char === '\u007f' ? text.slice(0, -1) : text + char
      }
    }
    stdin.on('data', take)
  })
}
