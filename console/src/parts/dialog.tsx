import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { t } from '../text/language.ts'

interface DialogProps {
  readonly title: string
  readonly children: ComponentChildren
  readonly confirmText: string
  readonly isDangerous?: boolean
  readonly canConfirm?: boolean
  readonly onConfirm: () => void
  readonly onClose: () => void
}

/** A question. Escape and Cancel leave things as they are; the browser keeps the focus inside and gives it back. */
export function Dialog(props: DialogProps) {
  const { title, children, confirmText, isDangerous = false, canConfirm = true, onConfirm, onClose } = props
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    ref.current?.showModal()
  }, [])
  const submit = (event: Event) => {
    event.preventDefault()
    if (canConfirm) onConfirm()
  }
  return (
    <dialog ref={ref} aria-label={title} onClose={onClose}>
      <form class="dialog-body" onSubmit={submit}>
        <h2>{title}</h2>
        {children}
        <div class="button-row">
          <button class="button" type="button" onClick={onClose}>
            {t('dialog.cancel')}
          </button>
          <button class={`button ${isDangerous ? 'danger' : 'primary'}`} type="submit" disabled={!canConfirm}>
            {confirmText}
          </button>
        </div>
      </form>
    </dialog>
  )
}
