/** Dialogs, side panels, menus, popovers and tooltips: Radix with the look of the house. */
import { X } from 'lucide-react'
import {
  Dialog as RxDialog,
  DropdownMenu,
  Popover as RxPopover,
  Tooltip as RxTooltip,
} from 'radix-ui'
import type { ReactNode } from 'react'

import styles from './overlays.module.css'

/** A dialog in the middle, or (`side`) a panel at the right edge. */
export function Dialog({
  open,
  onClose,
  title,
  description,
  side = false,
  children,
}: {
  open: boolean
  onClose: () => void
  title: string
  description?: string
  side?: boolean
  children: ReactNode
}) {
  return (
    <RxDialog.Root open={open} onOpenChange={(now) => !now && onClose()}>
      <RxDialog.Portal>
        <RxDialog.Overlay className={styles.veil} />
        <RxDialog.Content
          className={side ? styles.side : styles.dialog}
          {...(description ? {} : { 'aria-describedby': undefined })}
        >
          <header className={styles.header}>
            <RxDialog.Title className="break">{title}</RxDialog.Title>
            <RxDialog.Close className={styles.close} aria-label="Close">
              <X size={18} aria-hidden />
            </RxDialog.Close>
          </header>
          {description && (
            <RxDialog.Description className="soft">{description}</RxDialog.Description>
          )}
          {children}
        </RxDialog.Content>
      </RxDialog.Portal>
    </RxDialog.Root>
  )
}

/** A menu under a button; give MenuItem children. */
export function Menu({
  trigger,
  children,
  label,
}: {
  trigger: ReactNode
  children: ReactNode
  label?: string
}) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className={styles.menu} align="end" sideOffset={4} aria-label={label}>
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

export function MenuItem({
  onSelect,
  disabled = false,
  danger = false,
  children,
}: {
  onSelect: () => void
  disabled?: boolean
  danger?: boolean
  children: ReactNode
}) {
  return (
    <DropdownMenu.Item
      className={`${styles.item} ${danger ? styles.danger : ''}`}
      disabled={disabled}
      onSelect={onSelect}
    >
      {children}
    </DropdownMenu.Item>
  )
}

export function MenuLine() {
  return <DropdownMenu.Separator className={styles.line} />
}

/** A small panel beside its trigger. */
export function Popover({
  trigger,
  children,
  label,
}: {
  trigger: ReactNode
  children: ReactNode
  label: string
}) {
  return (
    <RxPopover.Root>
      <RxPopover.Trigger asChild>{trigger}</RxPopover.Trigger>
      <RxPopover.Portal>
        <RxPopover.Content
          className={styles.popover}
          align="start"
          sideOffset={4}
          aria-label={label}
        >
          {children}
        </RxPopover.Content>
      </RxPopover.Portal>
    </RxPopover.Root>
  )
}

/** Words that appear beside something pointed at or focused. */
export function Tooltip({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <RxTooltip.Root>
      <RxTooltip.Trigger asChild>{children}</RxTooltip.Trigger>
      <RxTooltip.Portal>
        <RxTooltip.Content className={styles.tooltip} sideOffset={4} collisionPadding={8}>
          {text}
        </RxTooltip.Content>
      </RxTooltip.Portal>
    </RxTooltip.Root>
  )
}

export const TooltipProvider = RxTooltip.Provider
