import { utcText } from '../base/time-text.ts'

/** A moment of the wall clock, as `2026-11-21 16:24:57Z`. */
export function formatTime(wallMs: number): string {
  return `${utcText(wallMs)}Z`
}
