import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/** Whether the program `command` can be run by its bare name. */
export function isOnPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
