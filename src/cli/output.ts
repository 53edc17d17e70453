/** Writes a result: `json` as one line of JSON when that was asked for, else `text`. Waits while the reader is slow. */
export async function print(asJson: boolean | undefined, json: unknown, text: string): Promise<void> {
  const out = asJson === true ? `${JSON.stringify(json)}\n` : text
  if (out !== '') await write(out)
}

/** Bytes as they are. */
export function write(out: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(out, (error) => {
      if (error == null) resolve()
      else reject(error)
    })
  })
}

/** A reader that has seen enough (`| head`) closes the pipe: that is no failure. */
export function endQuietlyWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}
