/**
 * Selecting one token of a text: the text is one tab stop, arrow keys move from token to token, and
 * hovering selects too. Says where a panel about the selected token has room.
 */
import {
  useEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
} from 'react';

/** A selected token, and where to show its panel: CSS pixels within the window. */
export interface TokenSelection {
  index: number;
  left: number;
  top: number;
}

/** Size that a panel needs, in CSS pixels. */
export interface PanelSize {
  width: number;
  height: number;
}

export interface SelectableText {
  box: RefObject<HTMLDivElement | null>;
  selection: TokenSelection | null;
  /** For the element that has the tokens, each with `data-index`. */
  handlers: {
    onKeyDown: (event: KeyboardEvent) => void;
    onBlur: () => void;
    onPointerLeave: () => void;
    onPointerOver: (event: PointerEvent) => void;
  };
}

/** `length`: tokens of the text. `panel` must not change. */
export function useTokenSelection(length: number, panel: PanelSize): SelectableText {
  const box = useRef<HTMLDivElement>(null);
  const [selection, setSelection] = useState<TokenSelection | null>(null);
  useEffect(() => {
    if (!selection) return undefined;
    const hide = (): void => setSelection(null);
    window.addEventListener('scroll', hide, { capture: true, passive: true });
    return () => window.removeEventListener('scroll', hide, { capture: true });
  }, [selection]);
  const select = (index: number): void =>
    setSelection(locate(box.current, index, panel) ?? selection);
  const clear = (): void => setSelection(null);
  return {
    box,
    selection,
    handlers: {
      onKeyDown: (event) => {
        if (event.key === 'Escape') clear();
        const next = nextIndex(event.key, selection?.index, length);
        if (next === undefined) return;
        event.preventDefault();
        select(next);
      },
      onBlur: clear,
      onPointerLeave: clear,
      onPointerOver: ({ target }) => {
        if (target instanceof HTMLElement && target.dataset.index !== undefined)
          select(Number(target.dataset.index));
      },
    },
  };
}

/** Between the token and its panel. */
const GAP = 4;

/** Below the token, or above it at the end of the window. */
function locate(box: HTMLElement | null, index: number, panel: PanelSize): TokenSelection | null {
  const token = box?.querySelector<HTMLElement>(`[data-index="${index}"]`);
  if (!token) return null;
  const { left, top, bottom } = token.getBoundingClientRect();
  const fitsBelow = bottom + panel.height < window.innerHeight;
  return {
    index,
    left: Math.max(0, Math.min(left, document.documentElement.clientWidth - panel.width)),
    top: fitsBelow ? bottom + GAP : top - panel.height,
  };
}

/** The token that an arrow key selects, or undefined for other keys. */
function nextIndex(key: string, current: number | undefined, length: number): number | undefined {
  const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  if (move === undefined) return undefined;
  const start = move > 0 ? -1 : length;
  return Math.min(length - 1, Math.max(0, (current ?? start) + move));
}
