/**
 * A panel opened by a button, built on the native popover: it is in the top layer, closes on Escape
 * or a click outside, and returns the focus to the button. Mantine's Popover would add a
 * positioning library of 30 kB for three panels whose positions are known.
 */
import {
  createContext,
  useContext,
  useId,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
  type ToggleEvent,
} from 'react';
import '../styles/popup.css';

interface PopupProps {
  /** Accessible name of the button and of the panel. */
  label: string;
  className?: string;
  testId?: string;
  /** Visible content of the button. */
  face: ReactNode;
  kind: 'menu' | 'dialog';
  /** Of the panel, in CSS pixels. */
  width: number;
  children: ReactNode;
}

const CloseContext = createContext<() => void>(() => undefined);

export function Popup({ label, className, testId, face, kind, width, children }: PopupProps) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const onToggle = (event: ToggleEvent<HTMLDivElement>): void => {
    const opened = event.newState === 'open';
    setOpen(opened);
    if (!opened) return;
    // The content is rendered by the next frame.
    requestAnimationFrame(() => {
      placePanel(button.current, panel.current);
      focusFirst(panel.current, kind);
    });
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        popoverTarget={id}
        aria-label={label}
        aria-haspopup={kind}
        aria-expanded={open}
        data-testid={testId}
      >
        {face}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role={kind}
        aria-label={label}
        tabIndex={-1}
        className="popup"
        style={{ width }}
        onToggle={onToggle}
        onKeyDown={kind === 'menu' ? moveFocus : undefined}
      >
        {open ? (
          <CloseContext.Provider value={() => panel.current?.hidePopover()}>
            {children}
          </CloseContext.Provider>
        ) : null}
      </div>
    </>
  );
}

interface PopupItemProps {
  icon: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  hint?: ReactNode;
  /** Keeps the panel open. */
  stays?: boolean;
  onClick: () => void;
  children: ReactNode;
}

export function PopupItem({
  icon,
  danger = false,
  disabled = false,
  hint,
  stays = false,
  onClick,
  children,
}: PopupItemProps) {
  const close = useContext(CloseContext);
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      className="popup-item"
      data-danger={danger || undefined}
      disabled={disabled}
      onClick={() => {
        if (!stays) close();
        onClick();
      }}
    >
      {icon}
      <span>{children}</span>
      {hint}
    </button>
  );
}

export const PopupLine = () => <hr className="popup-line" />;

/** Between button and panel, and to the window's edge, in CSS pixels. */
const GAP = 6;

/** Right-aligns the panel below the button, or above it if it does not fit below. */
function placePanel(button: HTMLElement | null, panel: HTMLElement | null): void {
  if (!button || !panel) return;
  const anchor = button.getBoundingClientRect();
  const below = anchor.bottom + GAP;
  const above = Math.max(GAP, anchor.top - GAP - panel.offsetHeight);
  const fitsBelow = below + panel.offsetHeight <= innerHeight;
  panel.style.top = `${fitsBelow ? below : above}px`;
  panel.style.left = `${Math.max(GAP, anchor.right - panel.offsetWidth)}px`;
}

const itemsOf = (panel: Element): HTMLElement[] => [
  ...panel.querySelectorAll<HTMLElement>('[role="menuitem"]:not(:disabled)'),
];

function focusFirst(panel: HTMLElement | null, kind: 'menu' | 'dialog'): void {
  if (!panel) return;
  if (kind === 'menu') itemsOf(panel)[0]?.focus();
  else panel.focus();
}

/** Arrow keys, Home and End move the focus within a menu. */
function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const items = itemsOf(event.currentTarget);
  const current = items.findIndex((item) => item === document.activeElement);
  const target = {
    ArrowDown: current + 1,
    ArrowUp: current - 1,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (target === undefined || items.length === 0) return;
  event.preventDefault();
  items[(target + items.length) % items.length]?.focus();
}
