import type { ComponentChildren } from 'preact'

interface PanelProps {
  readonly title: ComponentChildren
  readonly note?: ComponentChildren
  readonly end?: ComponentChildren
  readonly children: ComponentChildren
  readonly isPadded?: boolean
}

export function Panel({ title, note, end, children, isPadded = false }: PanelProps) {
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>{title}</h2>
        {note === undefined ? null : <span class="dim">{note}</span>}
        {end === undefined ? null : <span class="end">{end}</span>}
      </div>
      {isPadded ? <div class="panel-body">{children}</div> : children}
    </section>
  )
}

/** What stands where there is nothing: why, and how something gets there. */
export function Empty({ text, command }: { readonly text: string; readonly command?: string }) {
  return (
    <div class="empty">
      <span>{text}</span>
      {command === undefined ? null : <code>{command}</code>}
    </div>
  )
}
