import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders = new Set<string>()
process.once('exit', () => removeScratchFolders())

/** A folder of its own, removed when this process ends if not before. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `althing-${name}-`))
  folders.add(folder)
  return folder
}

export function removeScratchFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  folders.clear()
}
