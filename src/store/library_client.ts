/** What the page can ask about saved runs. Failures are shown in the library, not as a run's error. */
import type { LibraryCommand, MetricColumns } from '../protocol/index.ts';
import { MetricTable } from './columns.ts';
import { withOverlay } from './library.ts';
import type { Stores } from './stores.ts';
import { RequestError, type WorkerLink } from './worker_link.ts';

/** A command without its id, which the link gives. */
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

export class LibraryClient {
  readonly #stores: Stores;
  readonly #link: WorkerLink;
  /** The backup that is being written or read. */
  #job: number | null = null;

  constructor(stores: Stores, link: WorkerLink) {
    this.#stores = stores;
    this.#link = link;
  }

  /** Asks for the list again: another tab may have changed, opened or closed runs. */
  list(): void {
    this.#link.send({ type: 'list_runs' });
  }

  rename(run: string, name: string): void {
    if (run === this.#stores.run.getState().run) this.#stores.run.setState({ name });
    void this.#change({ type: 'rename_run', run, name });
  }
  duplicate(run: string, name: string): void {
    void this.#change({ type: 'duplicate_run', run, name });
  }
  /** Deleted runs can be restored for a day. */
  delete(runs: readonly string[]): void {
    void this.#change({ type: 'delete_runs', runs });
  }
  restore(runs: readonly string[]): void {
    void this.#change({ type: 'restore_runs', runs });
  }
  /** Removes deleted runs for good. */
  purge(runs: readonly string[]): void {
    void this.#change({ type: 'purge_runs', runs });
  }
  /** Limits the bytes of all runs; null removes the limit. */
  setBudget(bytes: number | null): void {
    void this.#change({ type: 'set_budget', bytes });
  }

  /** Draws the metrics of saved runs under the current ones. */
  async overlay(runs: readonly string[]): Promise<void> {
    for (const run of runs) {
      const table = await this.#history(run);
      if (!table) continue;
      this.#stores.library.setState(({ overlays }) => ({
        overlays: withOverlay(overlays, run, table),
      }));
    }
  }
  removeOverlays(runs: readonly string[]): void {
    this.#stores.library.setState((state) => {
      const overlays = new Map(state.overlays);
      for (const run of runs) overlays.delete(run);
      return { overlays };
    });
  }

  /** Reads the metrics of a saved run into the library's `preview`; without them, nothing is shown. */
  async preview(run: string): Promise<void> {
    const answer = await this.#link
      .request((id) => ({ type: 'load_history', id, run }))
      .catch(() => null);
    if (answer) this.#stores.library.setState({ preview: { run, table: tableOf(answer.columns) } });
  }

  /** Reads the metrics of runs for a comparison, one after the other. */
  async loadHistories(runs: readonly string[]): Promise<void> {
    for (const run of runs) {
      const table = await this.#history(run);
      if (!table) continue;
      this.#stores.library.setState(({ histories }) => ({
        histories: new Map(histories).set(run, table),
      }));
    }
  }

  /** Puts runs into one file; null if that failed or was cancelled, which the library's state says. */
  async backUp(runs: readonly string[]): Promise<Blob | null> {
    if (!this.#beginBackup('write')) return null;
    try {
      const answer = await this.#link.request((id) => {
        this.#job = id;
        return { type: 'back_up', id, runs };
      });
      const packed = `${counted(answer.runs)} ${answer.runs === 1 ? 'is' : 'are'} in the backup.`;
      this.#endBackup([packed, ...answer.left_out]);
      return answer.file;
    } catch (error) {
      this.#endBackup([sentenceOf(error)], true);
      return null;
    }
  }

  /** Adds the runs of a backup. Nothing that is here is overwritten. */
  async restoreBackup(file: Blob): Promise<void> {
    if (!this.#beginBackup('read')) return;
    try {
      const { added, equal, left_out } = await this.#link.request((id) => {
        this.#job = id;
        return { type: 'restore_backup', id, file };
      });
      const outcome = [`${counted(added)} ${added === 1 ? 'was' : 'were'} added.`];
      if (equal > 0)
        outcome.push(`${counted(equal)} ${equal === 1 ? 'was' : 'were'} here already.`);
      this.#endBackup([...outcome, ...left_out]);
    } catch (error) {
      this.#endBackup([sentenceOf(error)], true);
    }
  }

  cancelBackup(): void {
    if (this.#job !== null) this.#link.send({ type: 'cancel_backup', job: this.#job });
  }

  #beginBackup(kind: 'write' | 'read'): boolean {
    if (this.#stores.library.getState().backup?.progress) return false;
    const progress = { done: 0, total: 0 };
    this.#stores.library.setState({ backup: { kind, progress, outcome: [], failed: false } });
    return true;
  }

  #endBackup(outcome: string[], failed = false): void {
    this.#job = null;
    this.#stores.library.setState(({ backup }) => ({
      backup: backup && { ...backup, progress: null, outcome, failed },
    }));
  }

  async #change(command: WithoutId<LibraryCommand>): Promise<void> {
    const { library } = this.#stores;
    try {
      const { notes } = await this.#link.request((id): LibraryCommand => ({ ...command, id }));
      library.setState({ notes, problem: null });
    } catch (error) {
      library.setState({ notes: [], problem: plainOf(error) });
    }
  }

  /** Asks once more if the worker ended meanwhile: the next run of a chain may need another one. */
  async #history(run: string, attempts = 2): Promise<MetricTable | null> {
    try {
      const { columns } = await this.#link.request((id) => ({ type: 'load_history', id, run }));
      return tableOf(columns);
    } catch (error) {
      const mayAnswer = !(error instanceof RequestError) && attempts > 1;
      if (mayAnswer) return this.#history(run, attempts - 1);
      this.#stores.library.setState({ problem: plainOf(error) });
      return null;
    }
  }
}

const counted = (runs: number): string => `${runs} ${runs === 1 ? 'run' : 'runs'}`;

const plainOf = (error: unknown) =>
  error instanceof RequestError
    ? error.plain
    : { code: 'no_answer', message: sentenceOf(error), hint: '' };

const sentenceOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function tableOf(columns: MetricColumns): MetricTable {
  const table = new MetricTable();
  table.append(columns);
  return table;
}
