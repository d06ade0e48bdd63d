/**
 * A panel that a button opens, on the browser's own popover: top layer, Escape and a click
 * elsewhere close it, and the focus goes back to the button. Mantine's would bring a positioning
 * library of 30 kB for three panels with known places.
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
  /** What the button is called; it may show something else. */
  label: string;
  className?: string;
  testId?: string;
  face: ReactNode;
  kind: 'menu' | 'dialog';
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
    if (opened)
      requestAnimationFrame(() => {
        place(button.current, panel.current);
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
        onKeyDown={kind === 'menu' ? walk : undefined}
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

export function PopupItem({
  icon,
  danger = false,
  disabled = false,
  hint,
  onClick,
  children,
}: {
  icon: ReactNode;
  danger?: boolean;
  disabled?: boolean;
  hint?: ReactNode;
  onClick: () => void;
  children: ReactNode;
}) {
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
        close();
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

const GAP = 6;

/** Under the button, its right edges together; above it where there is no room below. */
function place(button: HTMLElement | null, panel: HTMLElement | null): void {
  if (!button || !panel) return;
  const at = button.getBoundingClientRect();
  const below = at.bottom + GAP + panel.offsetHeight <= innerHeight;
  panel.style.top = `${below ? at.bottom + GAP : Math.max(GAP, at.top - GAP - panel.offsetHeight)}px`;
  panel.style.left = `${Math.max(GAP, at.right - panel.offsetWidth)}px`;
}

const itemsOf = (panel: Element): HTMLElement[] => [
  ...panel.querySelectorAll<HTMLElement>('[role="menuitem"]:not(:disabled)'),
];

function focusFirst(panel: HTMLElement | null, kind: 'menu' | 'dialog'): void {
  if (!panel) return;
  if (kind === 'menu') itemsOf(panel)[0]?.focus();
  else panel.focus();
}

/** Arrow keys, Home and End walk through a menu. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  const items = itemsOf(event.currentTarget);
  const at = items.findIndex((item) => item === document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined || items.length === 0) return;
  event.preventDefault();
  items[(to + items.length) % items.length]?.focus();
}
