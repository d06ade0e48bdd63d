/**
 * When charts are drawn: only while they are visible and have changed, at most four times a second
 * (the small ones once), one after another, and never more than a third of the time: after a
 * drawing that took c milliseconds the clock rests for 2c. A person's input goes first, and a chart
 * that takes long on this device is given fewer points.
 *
 * A drawing is not a transition of React's: on a busy machine the flushes of the worker would
 * interrupt it for ever.
 */
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';

/**
 * Milliseconds after an input in which nothing is drawn, and how long a chart may wait because of
 * that.
 */
const AFTER_INPUT_MS = 90;
const LONGEST_WAIT_MS = 1500;
/** A drawing should stay below the first; below the second there is room for more points. */
const DEAR_MS = 32;
const CHEAP_MS = 12;
const FEWEST_POINTS = 48;

interface Drawer {
  visible: boolean;
  interval: number;
  lastDrawn: number;
  seen: number;
  points: number;
  readonly mostPoints: number;
  version: () => number;
  draw: (points: number) => void;
}

/** Points of the next drawing, from what the last one cost. */
export function nextPoints(points: number, cost: number, most: number): number {
  if (cost > DEAR_MS) return Math.max(FEWEST_POINTS, Math.round(points * 0.75));
  return cost < CHEAP_MS ? Math.min(most, Math.round(points * 1.2)) : points;
}

class ChartClock {
  readonly #drawers = new Set<Drawer>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #drawing: { drawer: Drawer; started: number } | null = null;
  #lastInput = -Infinity;

  constructor() {
    for (const type of ['keydown', 'pointerdown', 'pointerup', 'wheel', 'input'] as const) {
      window.addEventListener(
        type,
        () => {
          this.#lastInput = performance.now();
        },
        { passive: true, capture: true },
      );
    }
  }

  add(drawer: Drawer): () => void {
    this.#drawers.add(drawer);
    this.#schedule(0);
    return () => {
      this.#drawers.delete(drawer);
    };
  }

  /** Called once a drawing is on the page. */
  drawn(): void {
    const done = this.#drawing;
    this.#drawing = null;
    const cost = done ? performance.now() - done.started : 0;
    if (done) done.drawer.points = nextPoints(done.drawer.points, cost, done.drawer.mostPoints);
    this.#schedule(Math.max(16, 2 * cost));
  }

  #schedule(delay: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = this.#drawers.size > 0 ? setTimeout(() => this.#next(), delay) : null;
  }

  #next(): void {
    const now = performance.now();
    const due = this.#mostOverdue(now);
    const yields =
      due !== null &&
      now - this.#lastInput < AFTER_INPUT_MS &&
      now - due.lastDrawn < LONGEST_WAIT_MS;
    // A drawing that never commits (the chart went away) must not stop the clock.
    this.#schedule(due && !yields ? 1000 : 40);
    if (!due || yields || document.hidden) return;
    due.lastDrawn = now;
    due.seen = due.version();
    this.#drawing = { drawer: due, started: now };
    due.draw(due.points);
  }

  #mostOverdue(now: number): Drawer | null {
    let chosen: Drawer | null = null;
    for (const drawer of this.#drawers) {
      const due =
        drawer.visible &&
        now - drawer.lastDrawn >= drawer.interval &&
        drawer.version() !== drawer.seen;
      if (
        due &&
        (!chosen || drawer.lastDrawn + drawer.interval < chosen.lastDrawn + chosen.interval)
      )
        chosen = drawer;
    }
    return chosen;
  }
}

let clock: ChartClock | null = null;

interface Tick {
  count: number;
  points: number;
}

/**
 * A count that changes when the chart at `element` should be drawn again, and how many points it
 * may take.
 */
export function useChartTick(
  element: RefObject<HTMLElement | null>,
  version: () => number,
  interval: number,
  mostPoints: number,
): Tick {
  const [tick, setTick] = useState<Tick>({ count: 0, points: mostPoints });
  const current = useRef(version);
  useEffect(() => {
    current.current = version;
  });
  useEffect(() => {
    const drawer: Drawer = {
      visible: false,
      interval,
      lastDrawn: -Infinity,
      seen: -1,
      points: mostPoints,
      mostPoints,
      version: () => current.current(),
      draw: (points) => setTick((last) => ({ count: last.count + 1, points })),
    };
    const observer = new IntersectionObserver(
      ([entry]) => {
        drawer.visible = entry?.isIntersecting ?? false;
      },
      { rootMargin: '200px' },
    );
    if (element.current) observer.observe(element.current);
    clock ??= new ChartClock();
    const remove = clock.add(drawer);
    return () => {
      observer.disconnect();
      remove();
    };
  }, [element, interval, mostPoints]);
  useLayoutEffect(() => {
    if (tick.count > 0) clock?.drawn();
  }, [tick]);
  return tick;
}
