/** The URL as it may be shown: an error ends up in logs, so who calls, and with which password, is left out. Also of what only looks like a URL. */
export function withoutCredentials(url: string): string {
  return url.replace(/\/\/.*@/s, '//***@')
}
