/**
 * How the current run is looked at, kept with the run: changes go to the worker after a moment, and
 * a run that is opened again brings them back. Every value that comes back is checked, because the
 * run may come from a file.
 */
import type { RunView, ViewValue } from '../protocol/index.ts';
import type { Stores } from './stores.ts';
import type { ViewState } from './view.ts';
import type { WriteState } from './write.ts';

/** Changes that follow each other faster are sent together. */
const DELAY_MS = 300;
const MAX_PROMPT = 20_000;

type Check = (value: ViewValue) => boolean;

const isFlag: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isRange: Check = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(isNumber);

/** Entries of the view store that belong to the run, and the values that they may have. */
const VIEW_CHECKS: Readonly<Record<string, Check>> = {
  axis: (value) => value === 'step' || value === 'tokens' || value === 'seconds',
  logY: isFlag,
  logX: isFlag,
  smoothing: (value) => typeof value === 'number' && value >= 0 && value <= 1000,
  zoom: (value) => value === null || isRange(value),
  sampleStep: (value) => value === null || isNumber(value),
  openCharts: (value) =>
    Array.isArray(value) && value.every((id) => typeof id === 'string' && id.length < 100),
} satisfies Readonly<Record<keyof ViewState, Check>> & Record<string, Check>;

const WRITE_CHECKS: Readonly<Record<keyof WriteState, Check>> = {
  prompt: (value) => typeof value === 'string' && value.length <= MAX_PROMPT,
  weights: (value) => value === 'last' || value === 'best',
};

type Viewed = Pick<Stores, 'view' | 'write'>;

export function captureView({ view, write }: Viewed): RunView {
  const state: Readonly<Record<string, ViewValue>> = { ...view.getState() };
  const known = Object.entries(state).filter(([key]) => Object.hasOwn(VIEW_CHECKS, key));
  const { prompt, weights } = write.getState();
  return { ...Object.fromEntries(known), prompt: prompt.slice(0, MAX_PROMPT), weights };
}

/** Takes back what is valid. */
export function restoreView({ view, write }: Viewed, saved: RunView): void {
  view.setState(accepted(saved, VIEW_CHECKS));
  write.setState(accepted(saved, WRITE_CHECKS));
}

function accepted(saved: RunView, checks: Readonly<Record<string, Check>>): RunView {
  const entries = Object.entries(saved).filter(
    ([key, value]) => Object.hasOwn(checks, key) && checks[key]?.(value),
  );
  return Object.fromEntries(entries);
}

/** Sends the view of the current run when it has changed. */
export class ViewKeeper {
  readonly #stores: Stores;
  readonly #send: (run: string, view: RunView) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What the worker has, as JSON. */
  #kept = '';

  constructor(stores: Stores, send: (run: string, view: RunView) => void) {
    this.#stores = stores;
    this.#send = send;
    const changed = (): void => this.#changed();
    stores.view.subscribe(changed);
    stores.write.subscribe(changed);
  }

  /** The present view is that of the run: nothing has to be sent. */
  settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#kept = JSON.stringify(captureView(this.#stores));
  }

  /** Sends a change that waits. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { run } = this.#stores.run.getState();
    const view = captureView(this.#stores);
    const json = JSON.stringify(view);
    if (run === null || json === this.#kept) return;
    this.#kept = json;
    this.#send(run, view);
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), DELAY_MS);
  }
}
