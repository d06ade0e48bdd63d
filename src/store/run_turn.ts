/** How another run takes the place of the current one, which is saved and closed first. */
import { randomId } from '../common/index.ts';
import type { Event, ImportedFile, PlainError, ReleasedRun } from '../protocol/index.ts';
import { openedFiles } from './form.ts';
import { count } from './format.ts';
import { readingFiles, withNotice } from './run.ts';
import type { RunWorker } from './run_worker.ts';
import { showingErrors } from './showing_errors.ts';
import type { Stores } from './stores.ts';
import type { StoreUpdates } from './store_updates.ts';

/** Why a run cannot move to another worker. */
const ONLY_IN_THIS_TAB: PlainError = {
  code: 'storage_refused',
  message: 'The browser stores nothing for this page, so the run cannot move to another backend.',
  hint: 'Export it, open the other backend after a reload, and import it there.',
  action: 'export',
};

export class RunTurn {
  readonly #stores: Stores;
  readonly #worker: RunWorker;
  readonly #updates: StoreUpdates;
  /** The latest import, while the worker reads its files. */
  #importing: { id: number; name: string } | null = null;
  /** A run that is being opened again was paused, and stays so if the backend is changed meanwhile. */
  opensPaused = false;
  /** The current run is being saved. */
  #releasing = false;

  constructor(stores: Stores, worker: RunWorker, updates: StoreUpdates) {
    this.#stores = stores;
    this.#worker = worker;
    this.#updates = updates;
  }

  /** The worker has a run that would be lost, or a part of it, if the worker were ended. */
  get holdsRun(): boolean {
    const { run, phase, opening, connection, step, savedStep } = this.#stores.run.getState();
    if (run === null || opening || connection !== 'alive' || !this.#worker.hasRun) return false;
    if (phase === 'done') return savedStep !== step;
    return phase !== 'failed' && phase !== 'idle';
  }

  /**
   * Calls `begin`, which gives the worker to another run, once the current run is saved and closed.
   * If storage refuses, shows why, and the current run goes on.
   */
  replace(begin: () => void): void {
    if (this.#releasing) return;
    if (!this.holdsRun) {
      begin();
      return;
    }
    this.#releasing = true;
    void this.release().then((released) => {
      this.#releasing = false;
      if (released) begin();
    });
  }

  /** Whether the run exists in this worker only, so that no other can go on with it. Says so. */
  refusesToMove(): boolean {
    if (this.#stores.library.getState().storage?.available !== false) return false;
    this.#stores.run.setState({ error: ONLY_IN_THIS_TAB });
    return true;
  }

  /** Saves and closes the current run. Resolves to whether that succeeded. */
  async release(): Promise<boolean> {
    const releasing = this.#worker.link.request((id) => ({ type: 'release', id }));
    if (!(await showingErrors(this.#stores, releasing))) return false;
    this.#noteReleased((await releasing).released);
    this.#worker.released();
    return true;
  }

  /**
   * The worker reads the files while the current run trains on; that run is saved and closed only if
   * they are a checkpoint.
   */
  importFiles(name: string, files: ImportedFile[]): void {
    const { run, form } = this.#stores;
    const { config } = form.getState();
    const { text } = openedFiles(form.getState(), config);
    if (run.getState().connection === 'silent') this.#worker.close();
    this.#worker.takeForImport();
    run.setState(readingFiles);
    const importing = this.#worker.link.request((id) => {
      this.#importing = { id, name };
      return { type: 'import', id, run: randomId(), name, files, config, text };
    });
    void showingErrors(this.#stores, importing);
  }

  /** The files are fine: from here on, the page shows the imported run. */
  showImport({ id, released }: Extract<Event, { type: 'importing' }>): void {
    if (this.#importing?.id !== id) return;
    this.#updates.clearRun(this.#importing.name, null);
    this.#worker.given();
    this.#noteReleased(released);
  }

  #noteReleased(released: ReleasedRun | null): void {
    if (!released) return;
    const message = `“${released.name}” was saved at step ${count(released.step)}.`;
    this.#stores.run.setState((state) => withNotice(state, message));
  }
}
