/** Saved runs with small trained models, and requests about them, for tests on the engine in Node. */
import { type CheckpointState, RunStore } from '../../checkpoint/index.ts';
import { MemoryFileSystem } from '../../checkpoint/store/file_system.ts';
import { MemoryLocks } from '../../checkpoint/store/locks.ts';
import type { Lineage } from '../../common/index.ts';
import { resolveModel } from '../../config/index.ts';
import type { StageInput } from '../../config/stage/index.ts';
import type { DeviceInfo, Event, WeightDtype } from '../../protocol/index.ts';
import { type LabModel } from '../../testing/stage_lab.ts';
import { parseStage } from '../../config/stage/index.ts';
import { Models } from './models.ts';
import { SERVICES } from '../services.ts';
import { Device } from '../device.ts';

export interface SavedFacts {
  id: string;
  lineage?: Partial<Lineage>;
  stage?: StageInput;
}

/** Open models over a storage in memory. */
export class ModelsHarness {
  readonly events: Event[] = [];
  readonly store = new RunStore(new MemoryFileSystem(), new MemoryLocks(), null);
  readonly models: Models;
  #lastId = 0;

  constructor() {
    const device = new Device(
      { ...SERVICES, tryBackends: async () => ENGINE },
      { opened: () => undefined, lost: () => undefined },
    );
    this.models = new Models({
      services: SERVICES,
      emit: (event) => this.events.push(event),
      mark: () => undefined,
      storage: async () => this.store,
      device,
      run: null,
    });
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** Saves a model as a run. */
  async save(model: LabModel, { id, lineage, stage }: SavedFacts): Promise<void> {
    const { config, state, tokenizer, vocab_size, chat_template } = model;
    const full: Lineage = { objective: 'pretrain', parent: null, dataset: 'test', ...lineage };
    const run = await this.store.create({
      id,
      name: `Model ${id}`,
      config,
      n_params: 1,
      lineage: full,
    });
    const checkpoint: CheckpointState = {
      ...state,
      config,
      model: resolveModel(config.model, vocab_size),
      elapsed_seconds: 1,
      tokenizer,
      lineage: full,
      stage: stage ? { ...parseStage(stage) } : null,
      chat_template,
    };
    await run.save(checkpoint);
    await run.close();
  }

  async open(
    run: string,
    model = run,
    dtype: WeightDtype = 'float32',
  ): Promise<Extract<Event, { type: 'model_opened' }>> {
    const id = this.nextId();
    const source = { run };
    const event = await this.models.answer({
      type: 'open_model',
      id,
      model,
      source,
      backend: 'wasm',
      dtype,
    });
    if (event.type !== 'model_opened') throw new Error(`The answer was ${event.type}.`);
    return event;
  }

  all<T extends Event['type']>(type: T): Extract<Event, { type: T }>[] {
    return this.events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
  }
}

const ENGINE: DeviceInfo = {
  backend: 'wasm',
  reason: 'A test.',
  adapter: 'node',
  limits: { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 30, workgroup_storage: 0 },
  features: [],
};
