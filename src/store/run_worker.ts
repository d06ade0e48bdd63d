/** The worker of the current run, and whether the next run can use it too. */
import type { RunConfig } from '../config/index.ts';
import type { PagePort } from '../protocol/index.ts';
import { afterDeath } from './run.ts';
import type { Stores } from './stores.ts';
import { WorkerLink, type LinkListener } from './worker_link.ts';

type Backend = RunConfig['runtime']['backend'];

export class RunWorker {
  readonly link: WorkerLink;
  /** The backend that was requested of the worker. */
  backend: Backend = 'auto';
  readonly #stores: Pick<Stores, 'run' | 'profile' | 'form'>;
  #hasRun = false;

  constructor(
    stores: Pick<Stores, 'run' | 'profile' | 'form'>,
    spawn: () => PagePort,
    event: LinkListener['event'],
  ) {
    this.#stores = stores;
    const tell = (connection: 'alive' | 'silent'): void => stores.run.setState({ connection });
    this.link = new WorkerLink(spawn, {
      event,
      started: () => tell('alive'),
      silent: (silent) => tell(silent ? 'silent' : 'alive'),
      died: (reason) => {
        this.close();
        stores.run.setState((state) => afterDeath(state, reason));
      },
    });
  }

  /** The worker was given a run, which may still be in preparation. */
  get hasRun(): boolean {
    return this.#hasRun;
  }

  /** The worker has taken a run by itself: an import that it read. */
  given(): void {
    this.#hasRun = true;
  }

  /** The run in the worker was saved and closed. */
  released(): void {
    this.#hasRun = false;
  }

  /** Leaves the worker with its run, to which the import is a request; a failed one is replaced. */
  takeForImport(): void {
    if (this.#stores.run.getState().phase === 'failed') this.close();
    if (!this.link.isOpen) this.take(this.backend);
  }

  /** Gives the worker to a new run on `backend`. Ends it first if another run has it. */
  take(backend: Backend): void {
    const isFree = !this.#hasRun || this.#stores.run.getState().phase === 'done';
    if (!isFree || backend !== this.backend) this.close();
    if (!this.link.isOpen) {
      this.backend = backend;
      this.link.send({ type: 'open', backend, calibrate: false });
    }
    this.#hasRun = true;
  }

  /** Ends the worker at once. Its text and tokenizer go with it. */
  close(): void {
    this.link.close();
    this.#hasRun = false;
    this.#stores.form.setState({ preparedKey: null });
    this.#stores.profile.setState({ running: false });
  }
}
