/** Keeps the focus in the page when the element that had it goes away. */
import { useEffect, useRef } from 'react';

/** Frames to wait for what is downloaded when it is first shown: about two seconds. */
const MAX_FRAMES = 120;

/**
 * After each `change`, moves a focus that no element has to the first one that `selector` finds.
 * Keyboards and screen readers would otherwise begin again at the top of the page.
 */
export function useKeptFocus(change: unknown, selector: string): void {
  const last = useRef(change);
  useEffect(() => {
    if (Object.is(last.current, change)) return undefined;
    last.current = change;
    let frame = 0;
    let frames = 0;
    const look = (): void => {
      if (document.activeElement !== document.body) return;
      const target = document.querySelector<HTMLElement>(selector);
      if (target) focus(target);
      else if (frames++ < MAX_FRAMES) frame = requestAnimationFrame(look);
    };
    // The key that made the change must not press what gets the focus.
    frame = requestAnimationFrame(look);
    return () => cancelAnimationFrame(frame);
  }, [change, selector]);
}

/** Headings and regions are no stops of the Tab key. */
function focus(target: HTMLElement): void {
  if (target.tabIndex < 0) target.tabIndex = -1;
  target.focus();
}
