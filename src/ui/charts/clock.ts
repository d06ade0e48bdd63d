/**
 * When charts are drawn: each at most four times a second, only while it is visible and has changed, one after another,
 * and never more than a third of the time: after a drawing that took c milliseconds the clock rests for 2c.
 *
 * A drawing is not a transition of React's: on a busy machine the flushes of the worker would interrupt it for ever.
 */
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';

const INTERVAL_MS = 250;

interface Drawer { visible: boolean; lastDrawn: number; seen: number; version: () => number; draw: () => void }

class ChartClock {
  readonly #drawers = new Set<Drawer>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #started = 0;

  add(drawer: Drawer): () => void {
    this.#drawers.add(drawer);
    this.#schedule(0);
    return () => { this.#drawers.delete(drawer); };
  }
  /** Called once a drawing is on the page. */
  drawn(): void {
    const cost = this.#started > 0 ? performance.now() - this.#started : 0;
    this.#started = 0;
    this.#schedule(Math.max(16, 2 * cost));
  }

  #schedule(delay: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = this.#drawers.size > 0 ? setTimeout(() => this.#next(), delay) : null;
  }

  #next(): void {
    const now = performance.now();
    let oldest: Drawer | null = null;
    for (const drawer of this.#drawers) {
      const due = drawer.visible && now - drawer.lastDrawn >= INTERVAL_MS && drawer.version() !== drawer.seen;
      if (due && (!oldest || drawer.lastDrawn < oldest.lastDrawn)) oldest = drawer;
    }
    // A drawing that never commits (the chart went away) must not stop the clock.
    this.#schedule(oldest ? 1000 : 60);
    if (!oldest || document.hidden) return;
    oldest.lastDrawn = now;
    oldest.seen = oldest.version();
    this.#started = now;
    oldest.draw();
  }
}

const clock = new ChartClock();

/** A number that changes when the chart at `element` should be drawn again. `version` says whether its data changed. */
export function useChartTick(element: RefObject<HTMLElement | null>, version: () => number): number {
  const [tick, setTick] = useState(0);
  const current = useRef(version);
  useEffect(() => { current.current = version; });
  useEffect(() => {
    const drawer: Drawer = {
      visible: false, lastDrawn: 0, seen: -1, version: () => current.current(), draw: () => setTick((last) => last + 1),
    };
    const observer = new IntersectionObserver(([entry]) => { drawer.visible = entry?.isIntersecting ?? false; }, { rootMargin: '80px' });
    if (element.current) observer.observe(element.current);
    const remove = clock.add(drawer);
    return () => { observer.disconnect(); remove(); };
  }, [element]);
  useLayoutEffect(() => { if (tick > 0) clock.drawn(); }, [tick]);
  return tick;
}
