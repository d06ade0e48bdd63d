/** The library of the scripted worker: saved and deleted runs, a budget, and backups. */
import type {
  BackupCommand,
  DeletedRecord,
  Event,
  LibraryCommand,
  RunRecord,
} from '../protocol/index.ts';
import type { FakeOutbox } from './fake_outbox.ts';

/** The end record of an empty zip archive. */
export const EMPTY_ZIP = [80, 75, 5, 6, ...Array<number>(18).fill(0)];

export class FakeLibrary {
  runs: RunRecord[];
  readonly #outbox: FakeOutbox;
  readonly #available: boolean;
  #deleted: { record: RunRecord; deleted: number }[] = [];
  #budget: number | null = null;
  #job = 0;

  constructor(outbox: FakeOutbox, { runs, available }: { runs: RunRecord[]; available: boolean }) {
    this.#outbox = outbox;
    this.#available = available;
    this.runs = runs;
  }

  list(id?: number): void {
    this.#outbox.emit(this.#event(id));
  }

  change(command: LibraryCommand): void {
    switch (command.type) {
      case 'rename_run':
        this.runs = this.runs.map((one) =>
          one.run === command.run ? { ...one, name: command.name } : one,
        );
        break;
      case 'duplicate_run': {
        const original = this.runs.find((one) => one.run === command.run);
        const { name } = command;
        if (!original) break;
        const copy = { ...original, run: `${original.run}-copy`, name, updated: Date.now() };
        this.runs = [...this.runs, copy];
        break;
      }
      case 'delete_runs': {
        const gone = this.runs.filter(({ run }) => command.runs.includes(run));
        this.runs = this.runs.filter((record) => !gone.includes(record));
        this.#deleted.push(...gone.map((record) => ({ record, deleted: Date.now() })));
        break;
      }
      case 'restore_runs':
        this.runs.push(...this.#takeDeleted(command.runs));
        break;
      case 'purge_runs':
        this.#takeDeleted(command.runs);
        break;
      case 'set_budget':
        this.#budget = command.bytes;
        break;
      default:
        command satisfies never;
    }
    this.list(command.id);
  }

  backUp(command: BackupCommand): void {
    if (command.type === 'cancel_backup') {
      const error = { code: 'cancelled', message: 'It was cancelled.', hint: 'Nothing was lost.' };
      this.#outbox.emit({ type: 'error', id: command.job, error });
      this.#job = 0;
      return;
    }
    const { id } = command;
    this.#job = id;
    const total = 40e6;
    for (const share of [0, 0.3, 0.6, 0.9]) {
      this.#later(id, 1500 * share, {
        type: 'backup_progress',
        job: id,
        done: share * total,
        total,
      });
    }
    const left_out: string[] = [];
    const file = new Blob([new Uint8Array(EMPTY_ZIP)]);
    const done: Event =
      command.type === 'back_up'
        ? { type: 'backup', id, file, runs: command.runs.length, left_out }
        : { type: 'backup_restored', id, added: 2, equal: 1, left_out };
    this.#later(id, 1500, done);
  }

  #later(job: number, ms: number, event: Event): void {
    this.#outbox.afterScaled(ms, () => {
      if (this.#job === job) this.#outbox.emit(event);
    });
  }

  #takeDeleted(runs: readonly string[]): RunRecord[] {
    const taken = this.#deleted.filter(({ record }) => runs.includes(record.run));
    this.#deleted = this.#deleted.filter((one) => !taken.includes(one));
    return taken.map(({ record }) => record);
  }

  #event(id?: number): Event {
    const deleted = this.#deleted.map(
      ({ record: { run, name, bytes }, deleted: at }): DeletedRecord => ({
        run,
        name,
        bytes,
        deleted: at,
      }),
    );
    const storage = {
      used: 48_300_000,
      quota: 12e9,
      persistent: true,
      available: this.#available,
      budget: this.#budget,
    };
    return { type: 'runs', id, runs: this.runs, deleted, storage, notes: [] };
  }
}
