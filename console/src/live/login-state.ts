import { signal } from '@preact/signals'
import { api } from '../api/client.ts'

/** Who has signed in; empty: nobody, or nobody needs to. */
export const user = signal('')
/** The node has asked who calls. Nothing else is shown until it knows. */
export const needsSignIn = signal(false)

export async function learnLogin(): Promise<void> {
  try {
    user.value = (await api.login()).user
  } catch {
    user.value = ''
  }
}

/** Rejects with `ApiError`. */
export async function signIn(authorization: string): Promise<void> {
  user.value = (await api.signIn(authorization)).user
  needsSignIn.value = false
}

/** The page begins anew: nothing that was shown to the one who left stays. */
export async function signOut(): Promise<void> {
  try {
    await api.signOut()
  } finally {
    location.reload()
  }
}

/** A browser's `btoa` takes no characters past Latin-1. */
export function basicAuthorization(name: string, password: string): string {
  const bytes = new TextEncoder().encode(`${name}:${password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}
