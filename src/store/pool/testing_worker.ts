/** A worker that trains rounds without a model, for tests of rooms, and what a browser keeps for it. */
import type { RunConfig } from '../../config/index.ts';
import type { Command, Event, PagePort, TrainRoundCommand } from '../../protocol/index.ts';
import { Client } from '../client.ts';
import { createStores } from '../stores.ts';

/** What outlives a page: its runs, and what rooms keep with them. */
export interface Disk {
  configs: Map<string, RunConfig>;
  weights: Map<string, Float32Array>;
  rooms: Map<string, Uint8Array>;
}
export const newDisk = (): Disk => ({ configs: new Map(), weights: new Map(), rooms: new Map() });

/** Weights of every run at its first step. */
export const INITIAL = Float32Array.of(0, 0.5, -1);

/**
 * Each step moves the weights a tenth of the way to the number of the shard, counted from 1; its loss
 * is the distance of the first weight from there. Answers in later tasks, as a worker does.
 */
export class RoomWorker {
  readonly sent: Command[] = [];
  readonly port: PagePort;
  /** Rounds end only by `end_rounds`. */
  isSlow = false;
  /** Sentence of the error by which the next run fails to start. */
  refusal = '';
  run = '';
  weights = INITIAL.slice();
  readonly #disk: Disk;
  #waiting: TrainRoundCommand | null = null;
  #emit: (event: Event) => void = () => undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.port = {
      send: (command) => {
        this.sent.push(command);
        this.#handle(command);
      },
      close: () => undefined,
      onEvent: (listener) => {
        this.#emit = listener;
      },
      onDeath: () => undefined,
    };
  }

  /** Commands of a type, in order. */
  sentOf<T extends Command['type']>(type: T): Extract<Command, { type: T }>[] {
    return this.sent.filter(
      (command): command is Extract<Command, { type: T }> => command.type === type,
    );
  }

  #answer(event: Event): void {
    queueMicrotask(() => this.#emit(event));
  }

  #handle(command: Command): void {
    switch (command.type) {
      case 'start':
        this.#disk.configs.set(command.run, command.config);
        return this.#open(command.run, command.config);
      case 'resume': {
        const config = this.#disk.configs.get(command.run);
        if (config) this.#open(command.run, config);
        return;
      }
      case 'train_round':
        if (this.isSlow && command.steps > 0) this.#waiting = command;
        else this.#train(command, command.steps);
        return;
      case 'end_rounds':
        if (this.#waiting) this.#train(this.#waiting, 0);
        this.#waiting = null;
        return this.#answer({ type: 'rounds_ended', id: command.id });
      case 'save': {
        const { run } = this;
        this.#disk.weights.set(run, this.weights.slice());
        return this.#answer({ type: 'saved', id: command.id, run, step: 0, bytes: 1 });
      }
      case 'release':
        return this.#answer({ type: 'released', id: command.id, released: null });
      case 'keep_pool':
        this.#disk.rooms.set(command.run, command.bytes.slice());
        return this.#answer({ type: 'pool_kept', id: command.id });
      case 'read_pool': {
        const bytes = this.#disk.rooms.get(command.run) ?? null;
        return this.#answer({ type: 'pool', id: command.id, bytes });
      }
      default:
    }
  }

  #open(run: string, config: RunConfig): void {
    if (this.refusal !== '') {
      const error = { code: 'unexpected', message: this.refusal, hint: 'Hint.' } as const;
      this.#answer({ type: 'error', error });
      return;
    }
    this.run = run;
    this.weights = this.#disk.weights.get(run)?.slice() ?? INITIAL.slice();
    this.#answer({
      type: 'started',
      run,
      name: '',
      config,
      step: 0,
      saved_step: null,
      n_params: this.weights.length,
      planned_bytes: 1,
      precision: { mixed_precision: 'no', subgroup_matrices: false, reason: null },
      lr_multiplier: 1,
      lineage: { objective: 'pretrain', parent: null, dataset: 'Names' },
      metrics: [],
      charts: [],
      history: null,
    });
  }

  #train({ id, parameters, step, shard, evaluate }: TrainRoundCommand, steps: number): void {
    if (parameters) this.weights = parameters.slice();
    const val_loss = evaluate ? Math.abs((this.weights[0] ?? 0) - 1.5) : null;
    const target = shard.index + 1;
    const losses = new Float64Array(steps);
    for (let i = 0; i < steps; i++) {
      losses[i] = Math.abs((this.weights[0] ?? 0) - target);
      this.weights = this.weights.map((weight) => weight + 0.1 * (target - weight));
    }
    if (steps > 0) {
      const columns = { step: losses.map((_, i) => step + i + 1), 'train/loss': losses };
      this.#answer({ type: 'metrics', columns });
    }
    this.#answer({ type: 'round_trained', id, parameters: this.weights.slice(), steps, val_loss });
  }
}

/** A page of a browser that keeps `disk`. */
export function newPage(disk = newDisk()) {
  const worker = new RoomWorker(disk);
  const client = new Client(createStores(), () => worker.port);
  client.open();
  return { worker, client, disk };
}
