/**
 * Schedules the drawing of charts. A chart is drawn only while it is visible and has new data, at
 * most four times a second (small ones once a second). Charts are drawn one at a time and take at
 * most a third of the time: after a drawing of c milliseconds the clock rests for 2c. User input
 * takes precedence, and charts that draw slowly on this device get fewer points.
 *
 * Drawings are not React transitions: on a busy machine, the updates from the worker would
 * interrupt a transition forever.
 */
import { useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';

/** No drawing starts within this time after an input, in milliseconds. */
const INPUT_QUIET_MS = 90;
/** A chart is drawn despite input once its last drawing is this old. */
const MAX_WAIT_MS = 1500;
/** Above this cost, the next drawing has fewer points. */
const SLOW_MS = 32;
/** Below this cost, the next drawing has more points. */
const FAST_MS = 12;
const MIN_POINTS = 48;
/** A chart whose data has not changed for this long is drawn once more, with all of its points. */
const SETTLED_MS = 1200;
/** Pauses of the clock: after each drawing at least, while idle, and for a drawing in progress. */
const MIN_REST_MS = 16;
const POLL_MS = 40;
const DRAWING_TIMEOUT_MS = 1000;

const INPUT_EVENTS = ['keydown', 'pointerdown', 'pointerup', 'wheel', 'input'] as const;

export interface DrawingCost {
  /** Milliseconds that the last drawing took. */
  cost: number;
  /** Maximum number of points. */
  max: number;
}

/** Points for the next drawing, given those of the last one and its cost. */
export function nextPoints(points: number, { cost, max }: DrawingCost): number {
  if (cost > SLOW_MS) return Math.max(MIN_POINTS, Math.round(points * 0.75));
  if (cost < FAST_MS) return Math.min(max, Math.round(points * 1.2));
  return points;
}

interface Drawer extends DrawerState {
  /** Points of the next drawing. */
  points: number;
  readonly draw: (points: number) => void;
}

class ChartClock {
  readonly #drawers = new Set<Drawer>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #drawing: { drawer: Drawer; started: number } | null = null;
  #lastInput = -Infinity;

  constructor() {
    const onInput = (): void => {
      this.#lastInput = performance.now();
    };
    for (const type of INPUT_EVENTS)
      window.addEventListener(type, onInput, { passive: true, capture: true });
  }

  /** Returns a function that removes the drawer. */
  add(drawer: Drawer): () => void {
    this.#drawers.add(drawer);
    this.#schedule(0);
    return () => {
      this.#drawers.delete(drawer);
    };
  }

  /** Must be called once a drawing has been committed. */
  drawn(): void {
    const drawing = this.#drawing;
    this.#drawing = null;
    if (!drawing) {
      this.#schedule(MIN_REST_MS);
      return;
    }
    const { drawer, started } = drawing;
    const cost = performance.now() - started;
    if (drawer.drawnPoints === drawer.points)
      drawer.points = nextPoints(drawer.points, { cost, max: drawer.maxPoints });
    this.#schedule(Math.max(MIN_REST_MS, 2 * cost));
  }

  #schedule(delay: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = this.#drawers.size > 0 ? setTimeout(() => this.#next(), delay) : null;
  }

  #next(): void {
    const now = performance.now();
    const drawer = this.#mostOverdue(now);
    if (!drawer || document.hidden || this.#yieldsToInput(drawer, now)) {
      this.#schedule(POLL_MS);
      return;
    }
    // A drawing is never committed if its chart is unmounted, so the clock does not rely on it.
    this.#schedule(DRAWING_TIMEOUT_MS);
    const isSettled = drawer.version() === drawer.drawnVersion;
    drawer.drawnPoints = isSettled ? drawer.maxPoints : drawer.points;
    drawer.lastDrawn = now;
    drawer.drawnVersion = drawer.version();
    this.#drawing = { drawer, started: now };
    drawer.draw(drawer.drawnPoints);
  }

  #yieldsToInput(drawer: Drawer, now: number): boolean {
    return now - this.#lastInput < INPUT_QUIET_MS && now - drawer.lastDrawn < MAX_WAIT_MS;
  }

  #mostOverdue(now: number): Drawer | null {
    let chosen: Drawer | null = null;
    for (const drawer of this.#drawers) {
      if (isDue(drawer, now) && (!chosen || dueTime(drawer) < dueTime(chosen))) chosen = drawer;
    }
    return chosen;
  }
}

const dueTime = (drawer: DrawerState): number => drawer.lastDrawn + drawer.interval;

/** What decides when a chart is drawn. Times are in milliseconds. */
export interface DrawerState {
  visible: boolean;
  readonly interval: number;
  lastDrawn: number;
  /** Version of the data in the last drawing, and its points. */
  drawnVersion: number;
  drawnPoints: number;
  readonly maxPoints: number;
  readonly version: () => number;
}

/** Whether a visible chart has new data, or had fewer points than it can have since data rests. */
export function isDue(drawer: DrawerState, now: number): boolean {
  if (!drawer.visible || now < dueTime(drawer)) return false;
  if (drawer.version() !== drawer.drawnVersion) return true;
  return drawer.drawnPoints < drawer.maxPoints && now >= drawer.lastDrawn + SETTLED_MS;
}

let clock: ChartClock | null = null;

/** Changes each time the chart is to be drawn. */
export interface Tick {
  count: number;
  /** Points that the drawing may have per series. */
  points: number;
}

export interface ChartTickOptions {
  /** Version of the chart's data. */
  version: () => number;
  /** Milliseconds between two drawings at least. */
  interval: number;
  maxPoints: number;
}

/** Returns a new tick each time the chart at `element` should be drawn. */
export function useChartTick(
  element: RefObject<HTMLElement | null>,
  { version, interval, maxPoints }: ChartTickOptions,
): Tick {
  const [tick, setTick] = useState<Tick>({ count: 0, points: maxPoints });
  const latestVersion = useRef(version);
  useEffect(() => {
    latestVersion.current = version;
  });
  useEffect(() => {
    const drawer: Drawer = {
      visible: false,
      interval,
      lastDrawn: -Infinity,
      drawnVersion: -1,
      drawnPoints: maxPoints,
      points: maxPoints,
      maxPoints,
      version: () => latestVersion.current(),
      draw: (points) => setTick((last) => ({ count: last.count + 1, points })),
    };
    const stopObserving = observeVisibility(element.current, drawer);
    clock ??= new ChartClock();
    const remove = clock.add(drawer);
    return () => {
      stopObserving();
      remove();
    };
  }, [element, interval, maxPoints]);
  useLayoutEffect(() => {
    if (tick.count > 0) clock?.drawn();
  }, [tick]);
  return tick;
}

/** Keeps `drawer.visible` up to date. Returns a function that stops. */
function observeVisibility(element: HTMLElement | null, drawer: Drawer): () => void {
  const observer = new IntersectionObserver(
    ([entry]) => {
      drawer.visible = entry?.isIntersecting ?? false;
    },
    // Charts just outside the viewport are drawn before they are scrolled to.
    { rootMargin: '200px' },
  );
  if (element) observer.observe(element);
  return () => observer.disconnect();
}
