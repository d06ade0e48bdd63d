/** One rank of a parallel run in a worker: executes the page's commands together with the others. */
import { deviceMemory } from '../../backend/index.ts';
import type { RankMemory } from '../../common/index.ts';
import { type PortLike, PortLink, RankTrainer, type ReducerThread } from '../../parallel/index.ts';
import { DEFAULT_OBJECTIVE } from '../../objectives/index.ts';
import { connectRank } from '../../protocol/index.ts';
import type { OpenRankCommand, RankCommand, RankEvent, RankRequest } from '../../protocol/index.ts';
import type { StepResult } from '../../train/index.ts';
import type { Device } from '../device.ts';
import type { PreparedText, TextSources } from '../prepared_text.ts';
import type { StorageContext } from '../run_parts.ts';
import type { RunConfig } from '../../config/index.ts';
import { CannotOpenRank } from './cannot_open_rank.ts';
import { loadRun, saveRun } from './rank_storage.ts';
import { shareState, shareText } from './share.ts';
import { startReducer } from './start_reducer.ts';

export interface RankSessionContext extends StorageContext {
  readonly device: Device;
  prepareText(config: RunConfig, sources: TextSources): Promise<PreparedText>;
}

/** Building programs takes its time, and ranks do not finish it at the same time. */
const PATIENCE_AT_START_MS = 120_000;
/** Another rank may take this many of the longest steps so far, and at least this long. */
const PATIENCE_STEPS = 3;
const LEAST_PATIENCE_MS = 2000;

/** What an open rank consists of. */
interface OpenRank {
  command: OpenRankCommand;
  link: PortLink;
  trainer: RankTrainer;
  /** Rank 0 has the text, for its tokenizer. */
  text: PreparedText | null;
}

export class RankSession {
  readonly #context: RankSessionContext;
  #open: OpenRank | null = null;
  #link: PortLink | null = null;
  #reducer: ReducerThread | undefined;
  #longestStep = 0;

  constructor(context: RankSessionContext) {
    this.#context = context;
  }

  /** Rejects with an error that the page can show. */
  async execute(command: RankCommand): Promise<void> {
    switch (command.type) {
      case 'slow_rank':
        this.#rank().trainer.slowness = command.factor;
        return;
      case 'pause_rank':
        this.#rank().trainer.pauseRequested = true;
        return;
      case 'rank_gone':
        this.#link?.lose(command.rank, 'is gone');
        this.#reducer?.lose(command.rank, 'is gone');
        return;
      default:
        this.#emit(await this.#answer(command));
    }
  }

  async #answer(request: RankRequest): Promise<RankEvent> {
    switch (request.type) {
      case 'open_rank':
        return this.#openRank(request);
      case 'train_rank':
        return this.#train(request);
      case 'evaluate_rank': {
        const { trainer, command } = this.#rank();
        const metrics = await trainer.evaluate();
        const loss = metrics['val/loss'] ?? null;
        return { type: 'rank_evaluated', id: request.id, rank: command.rank, loss };
      }
      case 'save_rank':
        return this.#save(request);
      default:
        return request satisfies never;
    }
  }

  async #openRank(command: OpenRankCommand): Promise<RankEvent> {
    const { id, rank, mesh, config, backend, resume } = command;
    const ports = new Map<number, PortLike>(
      command.ports.map(({ rank: other, port }) => [other, connectRank(port)]),
    );
    const link = new PortLink({ rank, ports, patience: () => this.#patience() });
    this.#link = link;
    const device = await this.#context.device.open(backend);
    if (device.backend !== 'webgpu' && device.backend !== 'wasm')
      throw new CannotOpenRank(
        `Ranks run on WebGPU or on the processor, not on ${device.backend}.`,
        'Choose one of these two under Device.',
      );
    const world = RankTrainer.worldOf(mesh, link);
    const { tokenizer_json } = command;
    const text =
      rank === 0
        ? await this.#context.prepareText(config, { text: command.text, tokenizer_json })
        : null;
    const shared = await shareText(
      world,
      text && { split: text.tokens, vocab_size: text.tokenizer.vocab_size },
    );
    const saved = rank === 0 && resume !== null ? await loadRun(this.#context, resume) : null;
    const from = await shareState(world, rank === 0 ? saved : undefined);
    const objective = DEFAULT_OBJECTIVE;
    if (device.backend === 'wasm') this.#reducer = startReducer(command, () => this.#patience());
    const trainer = await RankTrainer.create({
      ...{ config, objective, mesh, link, from, ...shared },
      reducer: this.#reducer,
    });
    this.#open = { command, link, trainer, text };
    const { n_params } = trainer;
    const memory = this.#memory(trainer);
    return { type: 'rank_opened', id, rank, memory, backend: device.backend, n_params };
  }

  async #train({ id, steps }: Extract<RankRequest, { type: 'train_rank' }>): Promise<RankEvent> {
    const { trainer, command } = this.#rank();
    trainer.pauseRequested = false;
    for (let i = 0; i < steps; i++) {
      const result = await trainer.takeStep();
      this.#longestStep = Math.max(this.#longestStep, result.ms);
      this.#report(result);
      if (trainer.paused) break;
      // A turn of the event loop, so that commands and messages of other ranks are handled.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return { type: 'rank_trained', id, rank: command.rank, step: trainer.step };
  }

  #report({ step, loss, grad_norm, ms }: StepResult): void {
    const { trainer, command } = this.#rank();
    const { bytes, spans } = trainer.recorder.take();
    this.#emit({
      type: 'rank_step',
      step: { rank: command.rank, step, loss, grad_norm, ms, bytes, spans },
      memory: this.#memory(trainer),
    });
  }

  async #save(request: Extract<RankRequest, { type: 'save_rank' }>): Promise<RankEvent> {
    const { id, run, name } = request;
    const { trainer, command, text } = this.#rank();
    const state = await trainer.state();
    const { step } = trainer;
    const { rank, config } = command;
    if (!state || !text) return { type: 'rank_saved', id, rank, run, step, bytes: null };
    const saved = { run, name, config, state, text, model: trainer.model };
    const bytes = await saveRun(this.#context, { ...saved, n_params: trainer.n_params });
    return { type: 'rank_saved', id, rank, run, step, bytes };
  }

  #rank(): OpenRank {
    if (!this.#open) throw new CannotOpenRank('This rank is not open.', 'Start the ranks first.');
    return this.#open;
  }

  #memory(trainer: RankTrainer): RankMemory {
    return { ...trainer.memory, allocated: deviceMemory()?.allocated ?? 0 };
  }

  #patience(): number {
    if (this.#longestStep === 0) return PATIENCE_AT_START_MS;
    return Math.max(LEAST_PATIENCE_MS, PATIENCE_STEPS * this.#longestStep);
  }

  #emit(event: RankEvent): void {
    this.#context.emit(event);
  }
}
