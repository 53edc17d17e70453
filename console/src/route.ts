import { signal } from '@preact/signals'

export const views = [
  'overview',
  'health',
  'members',
  'groups',
  'keys',
  'locks',
  'services',
  'traffic',
  'faults',
] as const
export type View = (typeof views)[number]

/** The view is the fragment of the address: a reload, a bookmark and the back button work, and any server can serve it. */
export const view = signal<View>('overview')

export function viewOf(fragment: string): View {
  const name = fragment.replace(/^#\/?/, '')
  return views.find((each) => each === name) ?? 'overview'
}

export function startRoute(): void {
  view.value = viewOf(location.hash)
  addEventListener('hashchange', () => {
    view.value = viewOf(location.hash)
    document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true })
    scrollTo(0, 0)
  })
}
