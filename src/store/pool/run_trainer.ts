/** A member's run: the run of this page, trained in rounds by its worker. */
import { parseConfig, type RunConfig } from '../../config/index.ts';
import type { LocalResult, LocalWork, PoolTrainer } from '../../parallel/pool/pool_trainer.ts';
import type { Plan, SentText } from '../../parallel/pool/schema.ts';
import type { Event, TrainRoundCommand } from '../../protocol/index.ts';
import type { Client } from '../client.ts';
import { setText, takeConfig } from '../form.ts';

/** What a run in a room needs of the page's client. */
export type PoolClient = Pick<
  Client,
  'stores' | 'start' | 'resume' | 'train' | 'pause' | 'onEvent' | 'request'
>;

/** Progress is told at most this often, milliseconds. */
const TELL_MS = 1000;

const WHOLE_TEXT = { index: 0, count: 1 };

export class RunTrainer implements PoolTrainer {
  /** Id of the run, once it has begun. */
  run: string | null = null;
  readonly #client: PoolClient;
  #cancelled = false;
  #tokensPerStep = 0;
  /** Of the run that is open. */
  #n_params: number | null = null;

  constructor(client: PoolClient) {
    this.#client = client;
  }

  async prepare(
    plan: Plan,
    text: { reading: SentText; bytes: Uint8Array } | null,
  ): Promise<number> {
    // The host's page has begun its run before it opens the room.
    if (this.#n_params !== null) return this.#n_params;
    const { form } = this.#client.stores;
    if (text) setText(form, { ...text.reading, bytes: text.bytes });
    // The backend belongs to the device.
    const config = parseConfig(plan.config);
    config.runtime.backend = form.getState().config.runtime.backend;
    takeConfig(form, config, { name: plan.name });
    return (await this.begin(config, plan.name)).length;
  }

  /** Starts a run and holds it. Resolves to its parameters. Rejects with a sentence. */
  async begin(config: RunConfig, name: string): Promise<Float32Array> {
    return this.#open(this.#client.start(config, { name, paused: true }));
  }

  /** Opens a saved run and holds it. */
  async reopen(run: string): Promise<Float32Array> {
    this.#client.resume(run, { paused: true });
    return this.#open(run);
  }

  async #open(run: string): Promise<Float32Array> {
    const config = await this.#started(run);
    const { batch_size, gradient_accumulation_steps } = config.training;
    this.#tokensPerStep = batch_size * gradient_accumulation_steps * config.model.block_size;
    this.run = run;
    const { parameters } = await this.#round({});
    this.#client.train();
    this.#n_params = parameters.length;
    return parameters;
  }

  #started(run: string): Promise<RunConfig> {
    return new Promise((resolve, reject) => {
      const stop = this.#client.onEvent((event) => {
        const problem = problemOf(event);
        const started = event.type === 'started' && event.run === run;
        if (!started && problem === null) return;
        stop();
        if (started) resolve(event.config);
        else reject(new Error(problem ?? ''));
      });
    });
  }

  async train(
    { parameters, step, steps, shard }: LocalWork,
    progress: (done: number) => void,
  ): Promise<LocalResult | null> {
    this.#cancelled = false;
    const began = performance.now();
    const losses = { count: 0, sum: 0 };
    let told = began;
    const stop = this.#client.onEvent((event) => {
      if (event.type !== 'metrics') return;
      for (const loss of event.columns['train/loss'] ?? []) {
        if (Number.isNaN(loss)) continue;
        losses.count++;
        losses.sum += loss;
      }
      const now = performance.now();
      if (now - told < TELL_MS) return;
      told = now;
      progress(Math.min(steps, losses.count));
    });
    try {
      const trained = await this.#round({ parameters, step, steps, shard });
      if (this.#cancelled) return null;
      return {
        parameters: trained.parameters,
        steps: trained.steps,
        tokens: trained.steps * this.#tokensPerStep,
        seconds: (performance.now() - began) / 1000,
        loss: losses.sum / losses.count,
      };
    } finally {
      stop();
    }
  }

  cancel(): void {
    this.#cancelled = true;
    void this.#end(true);
  }

  setPaused(paused: boolean): void {
    if (paused) this.#client.pause();
    else this.#client.train();
  }

  async evaluate(parameters: Float32Array): Promise<number | null> {
    return (await this.#round({ parameters, evaluate: true })).val_loss;
  }

  async finish(parameters: Float32Array): Promise<void> {
    this.#client.pause();
    await this.#round({ parameters });
    await this.save();
    await this.release();
  }

  /** Saves the run as it is. */
  async save(): Promise<void> {
    await this.#client.request((id) => ({ type: 'save', id }));
  }

  /** The run is an ordinary one again, and pauses. */
  async release(): Promise<void> {
    this.#client.pause();
    await this.#end(false);
  }

  async #end(hold: boolean): Promise<void> {
    try {
      await this.#client.request((id) => ({ type: 'end_rounds', id, hold }));
    } catch {
      // The run has ended, and its round with it.
    }
  }

  #round(change: Partial<TrainRoundCommand>) {
    return this.#client.request((id) => ({
      parameters: null,
      step: 0,
      steps: 0,
      shard: WHOLE_TEXT,
      evaluate: false,
      ...change,
      type: 'train_round',
      id,
    }));
  }
}

/** Why a run did not begin; null for other events. */
function problemOf(event: Event): string | null {
  if (event.type === 'error' && event.id === undefined && event.concerns === undefined) {
    return `${event.error.message} ${event.error.hint}`;
  }
  const cancelled = event.type === 'phase' && event.phase === 'idle' && event.detail !== '';
  return cancelled ? 'The start of the run was cancelled.' : null;
}
