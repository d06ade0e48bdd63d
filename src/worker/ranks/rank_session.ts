/** One rank of a parallel run in a worker: executes the page's commands together with the others. */
import { deviceMemory } from '../../backend/index.ts';
import { CheckpointError } from '../../checkpoint/index.ts';
import type { RankMemory } from '../../common/index.ts';
import {
  type PortLike,
  PortLink,
  type RankTrainer,
  type ReducerThread,
} from '../../parallel/index.ts';
import { connectRank, holdLifeLock } from '../../protocol/index.ts';
import type { OpenRankCommand, RankCommand, RankEvent, RankRequest } from '../../protocol/index.ts';
import { judgeStep, type LossHistory, type StepResult } from '../../train/index.ts';
import type { BeginContext } from '../beginning.ts';
import { CannotOpenRank } from './cannot_open_rank.ts';
import { type OpenedRank, openRank } from './open_rank.ts';
import { Patience } from './patience.ts';
import { RankAutosave } from './rank_autosave.ts';
import { RankRecords } from './rank_records.ts';
import { saveRun } from './rank_storage.ts';
import { startReducer } from './start_reducer.ts';

export type RankSessionContext = BeginContext;

type SaveRequest = Extract<RankRequest, { type: 'save_rank' }>;

/** What an open rank consists of. */
interface OpenRank extends OpenedRank {
  rank: number;
  records: RankRecords;
  /** Since the rank was opened. */
  history: LossHistory;
  /** Null on ranks other than 0, which do not decide. */
  autosave: RankAutosave | null;
}

export class RankSession {
  readonly #context: RankSessionContext;
  #open: OpenRank | null = null;
  #link: PortLink | null = null;
  #reducer: ReducerThread | undefined;
  readonly #patience = new Patience();

  constructor(context: RankSessionContext) {
    this.#context = context;
  }

  /** Rejects with an error that the page can show. */
  async execute(command: RankCommand): Promise<void> {
    switch (command.type) {
      case 'slow_rank':
        return this.#slow(command.rank, command.factor);
      case 'pause_rank':
        this.#rank().trainer.pauseRequested = true;
        return;
      case 'rank_gone':
        this.#link?.lose(command.rank, 'is gone');
        this.#reducer?.lose(command.rank, 'is gone');
        return;
      default:
        this.#emit(await this.#orLost(this.#answer(command)));
    }
  }

  /** All ranks are told, so that none takes the slow one for hung. */
  #slow(rank: number, factor: number): void {
    this.#patience.slow(rank, factor);
    if (this.#open?.rank === rank) this.#open.trainer.slowness = factor;
  }

  /**
   * Rejects with DeviceLost as soon as the device is lost: the others must hear of it before they take
   * this rank for hung.
   */
  async #orLost<T>(work: Promise<T>): Promise<T> {
    const { device } = this.#context;
    try {
      return await device.orLost(work, 0);
    } catch (error) {
      const reason = await device.lossBehind(error);
      throw reason === null ? error : device.lossError(reason);
    }
  }

  async #answer(request: RankRequest): Promise<RankEvent> {
    switch (request.type) {
      case 'open_rank':
        return this.#openRank(request);
      case 'train_rank':
        return this.#train(request);
      case 'evaluate_rank':
        return this.#evaluate(request);
      case 'save_rank':
        return this.#save(request);
      default:
        return request satisfies never;
    }
  }

  async #openRank(command: OpenRankCommand): Promise<RankEvent> {
    const { id, rank, mesh, backend } = command;
    const lock = await holdLifeLock();
    if (lock !== null) this.#emit({ type: 'rank_alive', rank, lock });
    const ports = new Map<number, PortLike>(
      command.ports.map(({ rank: other, port }) => [other, connectRank(port)]),
    );
    const link = new PortLink({ rank, ports, patience: () => this.#patience.ms });
    this.#link = link;
    const device = await this.#context.device.open(backend);
    if (device.backend !== 'webgpu' && device.backend !== 'wasm')
      throw new CannotOpenRank(
        `Ranks run on WebGPU or on the processor, not on ${device.backend}.`,
        'Choose one of these two under Device.',
      );
    if (device.backend === 'wasm') this.#reducer = startReducer(command, () => this.#patience.ms);
    const place = { mesh, link, reducer: this.#reducer };
    const opened = await openRank(this.#context, command, place);
    const { trainer, vocab_size, progress } = opened;
    this.#patience.samples = trainer.objective.data === 'prompts';
    const records = new RankRecords(trainer, progress);
    const history: LossHistory = {};
    const autosave = rank === 0 ? new RankAutosave(trainer, opened.config, history) : null;
    this.#open = { ...opened, rank, records, history, autosave };
    const memory = this.#memory(trainer);
    const { model, n_params, row_length, held_out_prompts, train_pairs } = trainer;
    const rows = { row_length, held_out_prompts, train_pairs };
    const facts = { memory, backend: device.backend, n_params, vocab_size, model, ...rows };
    return { type: 'rank_opened', id, rank, ...facts };
  }

  async #train(request: Extract<RankRequest, { type: 'train_rank' }>): Promise<RankEvent> {
    const { id, steps } = request;
    const { trainer, rank, history, autosave } = this.#rank();
    const saves = request.autosave && autosave !== null;
    trainer.pauseRequested = false;
    // What evaluations and checkpoints sent since the last step is no part of the next one.
    trainer.recorder.take();
    for (let i = 0; i < steps; i++) {
      // Asked before the step, in which the ranks agree on whether to stop after it.
      if (saves && autosave.isDueAfterStep) trainer.pauseRequested = true;
      const result = await this.#patience.during('step', () => trainer.takeStep());
      this.#report(result);
      // All ranks have the same loss and norm, so that they end after the same step.
      judgeStep(trainer, history, result);
      if (trainer.paused) break;
      // A turn of the event loop, so that commands and messages of other ranks are handled.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    const save_due = saves && autosave.takeDue();
    return { type: 'rank_trained', id, rank, step: trainer.step, save_due };
  }

  #report(result: StepResult): void {
    const { trainer, rank, records } = this.#rank();
    const { step, loss, grad_norm, ms } = result;
    const { bytes, spans } = trainer.recorder.take();
    const row = records.step(result);
    const notice = trainer.takeNotice();
    if (notice !== null && rank === 0) this.#context.emit({ type: 'notice', message: notice });
    this.#emit({
      type: 'rank_step',
      step: { rank, step, loss, grad_norm, ms, bytes, spans },
      memory: this.#memory(trainer),
      metrics: rank === 0 ? row : null,
    });
  }

  async #evaluate({ id }: Extract<RankRequest, { type: 'evaluate_rank' }>): Promise<RankEvent> {
    const { trainer, rank, records } = this.#rank();
    const measured = await this.#patience.during('evaluation', () => trainer.evaluate());
    // The next report is of a step alone.
    trainer.recorder.take();
    const metrics = records.evaluation(measured);
    return { type: 'rank_evaluated', id, rank, metrics };
  }

  #save(request: SaveRequest): Promise<RankEvent> {
    const { autosave } = this.#rank();
    const save = (): Promise<RankEvent> => this.#gatherAndSave(request);
    return autosave ? autosave.during(save) : save();
  }

  async #gatherAndSave({ id, run, name }: SaveRequest): Promise<RankEvent> {
    const { trainer, rank, config, facts, records } = this.#rank();
    const state = await this.#patience.during('save', () => trainer.state());
    trainer.recorder.take();
    const { step, model, n_params } = trainer;
    if (!state || !facts) return { type: 'rank_saved', id, rank, run, step, bytes: null };
    const saved = { run, name, config, state, model, n_params, facts, records };
    const outcome = await savedOrRefused(() => saveRun(this.#context, saved));
    return { type: 'rank_saved', id, rank, run, step, ...outcome };
  }

  #rank(): OpenRank {
    if (!this.#open) throw new CannotOpenRank('This rank is not open.', 'Start the ranks first.');
    return this.#open;
  }

  #memory(trainer: RankTrainer): RankMemory {
    return { ...trainer.memory, allocated: deviceMemory()?.allocated ?? 0 };
  }

  #emit(event: RankEvent): void {
    this.#context.emit(event);
  }
}

/** A refusal of storage is an answer: the ranks can go on, and save again. */
async function savedOrRefused(
  save: () => Promise<number>,
): Promise<{ bytes: number | null; problem?: string }> {
  try {
    return { bytes: await save() };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { bytes: null, problem: `${error.message} ${error.hint}` };
  }
}
