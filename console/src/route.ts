import { signal } from '@preact/signals'

export const views = [
  'overview',
  'health',
  'members',
  'groups',
  'keys',
  'locks',
  'schedules',
  'services',
  'config',
  'traffic',
  'faults',
] as const
export type View = (typeof views)[number]

/** The view is the fragment of the address: a reload, a bookmark and the back button work, and any server can serve it. */
export const view = signal<View>('overview')
/** What the view shows one of, as `#/config/orders` does. Empty: all. */
export const subject = signal('')

export function viewOf(fragment: string): View {
  const [name] = fragment.replace(/^#\/?/, '').split('/', 1)
  return views.find((each) => each === name) ?? 'overview'
}

export function subjectOf(fragment: string): string {
  const [, ...rest] = fragment.replace(/^#\/?/, '').split('/')
  try {
    return decodeURIComponent(rest.join('/'))
  } catch {
    return ''
  }
}

function follow(): void {
  view.value = viewOf(location.hash)
  subject.value = subjectOf(location.hash)
}

export function startRoute(): void {
  follow()
  addEventListener('hashchange', () => {
    follow()
    document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true })
    scrollTo(0, 0)
  })
}
