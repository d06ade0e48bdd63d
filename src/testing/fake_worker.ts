/**
 * A scripted worker behind the page's port: a plausible run without a model, for building and
 * photographing the page by itself. `scenario` chooses what goes wrong. Only `fake.html` and tests
 * use it.
 */
import type { Parent } from '../common/index.ts';
import { isModelCommand, isRankCommand } from '../protocol/index.ts';
import type { Command, PagePort, ParentSource, RunRecord } from '../protocol/index.ts';
import { skillAt } from './fake_curves.ts';
import { comparison, DATA, DEVICE, NO_GPU, PROFILE, savedRuns } from './fake_data.ts';
import { FAILURES, type Scenario } from './fake_failures.ts';
import { EMPTY_ZIP, FakeLibrary } from './fake_library.ts';
import { FakeModels } from './fake_models.ts';
import { FakeOutbox } from './fake_outbox.ts';
import { savedStages, withStageMetrics } from './fake_stages.ts';
import { fakePieces, idOf } from './fake_text.ts';
import { CHECKPOINT_STEP, type FakeOptions, FakeTraining } from './fake_training.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

/** A PagePort with only timers behind it. */
export function fakePort(options: FakeOptions): PagePort {
  const worker = new ScriptedWorker(options);
  return {
    send: (command) => worker.handle(command),
    onEvent: (listener) => {
      worker.outbox.onEvent = listener;
    },
    onDeath: (listener) => {
      worker.outbox.onDeath = listener;
    },
    close: () => worker.close(),
  };
}

class ScriptedWorker {
  readonly outbox: FakeOutbox;
  readonly #training: FakeTraining;
  readonly #scenario: Scenario;
  readonly #library: FakeLibrary;
  readonly #models: FakeModels;

  constructor(options: FakeOptions) {
    this.#scenario = options.scenario;
    this.outbox = new FakeOutbox(options.speed);
    this.#library = new FakeLibrary(this.outbox, {
      runs: savedRunsOf(options.scenario),
      available: options.scenario !== 'storage',
    });
    this.#training = new FakeTraining(this.outbox, options, () => this.#library.list());
    this.#models = new FakeModels(this.outbox, this.#training, () => this.#library.runs);
  }

  close(): void {
    this.outbox.close();
    this.#training.halt();
  }

  handle(command: Command): void {
    if (isModelCommand(command)) return this.#models.handle(command);
    if (isRankCommand(command)) return;
    switch (command.type) {
      case 'open':
        return this.#open(command);
      case 'ping':
        return this.outbox.emit({ type: 'pong', id: command.id });
      case 'prepare':
        return this.#prepare(command);
      case 'import':
        this.outbox.emit({ type: 'importing', id: command.id, run: command.run, released: null });
        return this.#load(command);
      case 'start':
      case 'resume':
        return this.#load(command);
      case 'train':
      case 'pause':
      case 'step':
      case 'stop':
      case 'cancel':
        return this.#training.steer(command.type);
      case 'save':
        return this.#training.save(command.id);
      case 'release':
        return this.outbox.emit({ type: 'released', id: command.id, released: null });
      case 'generate':
        return this.#generate(command);
      case 'stop_generation':
        this.#models.stop(command.id);
        return this.outbox.emit({ type: 'generation_done', id: command.id, reason: 'cancelled' });
      case 'tokenize':
        return this.#tokenize(command);
      case 'export':
        return this.#export(command);
      case 'list_runs':
        return this.#library.list();
      case 'rename_run':
      case 'duplicate_run':
      case 'delete_runs':
      case 'restore_runs':
      case 'purge_runs':
      case 'set_budget':
        return this.#library.change(command);
      case 'back_up':
      case 'restore_backup':
      case 'cancel_backup':
        return this.#library.backUp(command);
      case 'load_history':
        return this.outbox.emit({
          type: 'history',
          id: command.id,
          run: command.run,
          columns: withStageMetrics(this.#training.columns(0, 500), command.run),
        });
      case 'profile':
        return this.outbox.afterScaled(600, () =>
          this.outbox.emit({ type: 'profile', id: command.id, profile: PROFILE, why: '' }),
        );
      case 'compare':
        return this.#compare(command);
      case 'set_lr_multiplier':
        this.#training.lrMultiplier = command.multiplier;
        return;
      case 'set_sampling':
        this.#training.config = { ...this.#training.config, sampling: command.sampling };
        return;
      case 'set_threads':
      case 'set_view':
        return;
      case 'lose_device':
        this.outbox.phase('recovering', 'The GPU was lost; resuming from the last checkpoint');
        return this.outbox.after(1500, () => this.#training.steer('train'));
      default:
        command satisfies never;
    }
  }

  #open({ backend, calibrate }: CommandOf<'open'>): void {
    const withoutGpu = this.#scenario === 'nogpu';
    const wanted = { ...DEVICE, backend: backend === 'auto' ? 'webgpu' : backend };
    this.outbox.afterScaled(200, () => {
      this.outbox.emit({ type: 'device', device: withoutGpu ? NO_GPU : wanted });
      if (!calibrate) return;
      const flops_per_second = withoutGpu ? 6e9 : 8e11;
      this.outbox.emit({ type: 'calibration', flops_per_second, step_overhead_ms: 3 });
    });
  }

  #prepare({ text }: CommandOf<'prepare'>): void {
    this.outbox.phase('preparing', 'Training the tokenizer: 2,114 of 4,096 merges', 0.5);
    this.outbox.afterScaled(900, () => {
      const failure = FAILURES[this.#scenario];
      if (failure?.atStep === 0 && failure.error)
        this.outbox.emit({ type: 'error', error: failure.error });
      else this.outbox.emit({ type: 'data', data: { ...DATA, name: text?.name ?? DATA.name } });
      this.outbox.phase('idle');
    });
  }

  #load(command: CommandOf<'start' | 'import' | 'resume'>): void {
    this.#training.run = command.run;
    switch (command.type) {
      case 'start':
        this.#training.config = command.config;
        this.#training.lrMultiplier = 1;
        this.#training.parent = parentOf(command.parent, this.#library.runs);
        this.#training.stage = command.stage ?? null;
        return this.#training.begin(0, command.name, command.paused ?? false);
      case 'import':
        return this.#training.begin(300, command.name, true);
      case 'resume': {
        const record = this.#library.runs.find((one) => one.run === command.run);
        this.#training.config = record?.config ?? this.#training.config;
        this.#training.lrMultiplier = command.lr_multiplier ?? 1;
        this.#training.parent = record?.lineage.parent ?? null;
        this.#training.stage = record?.stage ?? null;
        const { step = CHECKPOINT_STEP, name = 'Run' } = record ?? {};
        return this.#training.begin(step, name, command.paused ?? false);
      }
      default:
        command satisfies never;
    }
  }

  #generate({ id, prompt, sampling }: CommandOf<'generate'>): void {
    const skill = skillAt(this.#training.config, Math.max(this.#training.step, 200));
    const pieces = fakePieces(this.#training.random, skill, Math.min(80, sampling.max_new_tokens));
    pieces.forEach((piece, index) =>
      this.outbox.after(index * 25, () => this.outbox.emit({ type: 'token', id, pieces: [piece] })),
    );
    const reason = prompt === 'stop' ? 'stop' : 'length';
    this.outbox.after(pieces.length * 25 + 30, () =>
      this.outbox.emit({ type: 'generation_done', id, reason }),
    );
  }

  #tokenize({ id, text }: CommandOf<'tokenize'>): void {
    const pieces = [...text.matchAll(/\s?\w{1,4}|\s|[^\w\s]/gu)].map(([piece]) => ({
      id: idOf(piece),
      text: piece,
    }));
    this.outbox.emit({ type: 'tokens', id, pieces });
  }

  #export({ id }: CommandOf<'export'>): void {
    const bytes = new Uint8Array(EMPTY_ZIP);
    this.outbox.after(300, () =>
      this.outbox.emit({ type: 'exported', id, name: 'names.zip', bytes }),
    );
  }

  #compare({ id, config, mode, steps }: CommandOf<'compare'>): void {
    const row = comparison(config, mode, steps);
    this.outbox.afterScaled(1500, () => this.outbox.emit({ type: 'comparison', id, row }));
  }
}

function savedRunsOf(scenario: Scenario): RunRecord[] {
  if (scenario === 'first') return [];
  return scenario === 'stages' ? savedStages() : savedRuns();
}

function parentOf(source: ParentSource | undefined, runs: readonly RunRecord[]): Parent | null {
  if (!source) return null;
  if ('files' in source) return { kind: 'imported', name: source.name };
  const record = runs.find((one) => one.run === source.run);
  return { kind: 'run', run: source.run, name: record?.name ?? 'Run', step: record?.step ?? 0 };
}
