// A value as text, JSON or a hex dump. Pure.

export type ValueForm = 'json' | 'text' | 'hex'

/** More than this is cut from a hex dump: 64 lines more are of no use on a screen. */
export const hexBytesMax = 4_096

export function bytesOf(item: { readonly value?: string; readonly valueBase64?: string }): Uint8Array {
  if (item.valueBase64 !== undefined)
    return Uint8Array.from(atob(item.valueBase64), (char) => char.charCodeAt(0))
  return new TextEncoder().encode(item.value ?? '')
}

/** `undefined` when the bytes are not UTF-8, or hold control characters that no text has. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    // biome-ignore lint: control characters are what is looked for
    return /[\u0000-\u0008\u000e-\u001f]/.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

/** Indented; `undefined` when it is not JSON, or only a bare number or word that needs no indenting. */
export function prettyJson(text: string | undefined): string | undefined {
  if (text === undefined || !/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2)
  } catch {
    return undefined
  }
}

export function bestForm(bytes: Uint8Array): ValueForm {
  const text = textOf(bytes)
  if (text === undefined) return 'hex'
  return prettyJson(text) === undefined ? 'text' : 'json'
}

/** Sixteen bytes a line: offset, hex, printable ASCII. */
export function hexDump(bytes: Uint8Array, bytesMax = hexBytesMax): string {
  const lines: string[] = []
  for (let offset = 0; offset < Math.min(bytes.length, bytesMax); offset += 16) {
    const row = [...bytes.slice(offset, Math.min(offset + 16, bytesMax))]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0'))
    const left = hex.slice(0, 8).join(' ').padEnd(23)
    const right = hex.slice(8).join(' ').padEnd(23)
    const ascii = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')
    lines.push(`${offset.toString(16).padStart(6, '0')}  ${left}  ${right}  ${ascii}`)
  }
  return lines.join('\n')
}
