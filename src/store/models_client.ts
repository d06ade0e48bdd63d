/**
 * Saved models beside the run: they are opened, asked and voted on in a worker of their own, which is
 * started with the first of them, so that a run that trains is not disturbed.
 */
import type {
  EvaluationRecord,
  RolloutRecord,
  ShownStep,
  TokenPiece,
  Turns,
  Vote,
} from '../common/index.ts';
import type { Event, OpenedModel, PagePort, WeightDtype } from '../protocol/index.ts';
import type { RunningAnswer } from './stages/chat.ts';
import type {
  EvaluationModels,
  EvaluationRequest,
  EvaluationStep,
  RunningEvaluation,
} from './stages/evaluations.ts';
import type { VoteModels } from './stages/votes.ts';
import type { Stores } from './stores.ts';
import { WorkerLink } from './worker_link.ts';

/** Models that are open at once; the one that was used least recently gives way. */
const MAX_OPEN = 3;

interface OpenEntry {
  /** When the run had last changed; a run that trained on is opened again. */
  updated: number;
  dtype: WeightDtype;
  opened: Promise<OpenedModel>;
}

type OnPieces = (pieces: readonly TokenPiece[]) => void;

export class ModelsClient implements VoteModels, EvaluationModels {
  readonly #stores: Pick<Stores, 'library' | 'run'>;
  /** To the worker of the current run. */
  readonly #runLink: WorkerLink;
  /** To the worker of the models. */
  readonly #link: WorkerLink;
  /** By the id of the run, the one that was used last at the end. */
  readonly #open = new Map<string, OpenEntry>();
  readonly #writing = new Map<number, OnPieces>();
  readonly #measuring = new Map<number, (step: EvaluationStep) => void>();

  /** @param spawn starts a worker; the parallel lab uses it too */
  constructor(
    stores: Pick<Stores, 'library' | 'run'>,
    runLink: WorkerLink,
    readonly spawn: () => PagePort,
  ) {
    this.#stores = stores;
    this.#runLink = runLink;
    this.#link = new WorkerLink(spawn, {
      event: (event) => this.#hear(event),
      started: () => undefined,
      silent: () => undefined,
      died: () => this.#open.clear(),
    });
  }

  /** Opens the last checkpoint of a run, unless it is open with weights of this dtype. */
  async open(run: string, dtype: WeightDtype = 'float32'): Promise<OpenedModel> {
    const updated = this.#record(run)?.updated ?? 0;
    const entry = this.#open.get(run);
    this.#open.delete(run);
    if (entry?.updated === updated && entry.dtype === dtype) {
      this.#open.set(run, entry);
      return entry.opened;
    }
    this.#closeOldest();
    const backend = this.#stores.run.getState().device?.backend ?? 'auto';
    const opened = this.#link
      .request((id) => ({ type: 'open_model', id, model: run, source: { run }, backend, dtype }))
      .then((answer) => answer.opened);
    const opening = { updated, dtype, opened };
    // A refusal may come after a later request for the same run, whose entry stays.
    opened.catch(() => {
      if (this.#open.get(run) === opening) this.#open.delete(run);
    });
    this.#open.set(run, opening);
    return opened;
  }

  answer(
    run: string,
    { prompt, sampling }: Parameters<VoteModels['answer']>[1],
    onPieces: OnPieces,
  ): RunningAnswer {
    let chat = 0;
    const asked = this.#link.request((id) => {
      chat = id;
      this.#writing.set(id, onPieces);
      return { type: 'chat', id, model: run, prompt, sampling };
    });
    return {
      done: asked.finally(() => this.#writing.delete(chat)),
      stop: () => this.#link.send({ type: 'stop_generation', id: chat }),
    };
  }

  /** Measures open models; its answers are kept with the run. */
  evaluate(
    request: EvaluationRequest,
    onProgress: (step: EvaluationStep) => void,
  ): RunningEvaluation {
    let job = 0;
    const asked = this.#link.request((id) => {
      job = id;
      this.#measuring.set(id, onProgress);
      return { type: 'evaluate', id, ...request };
    });
    return {
      done: asked.then(({ records }) => records).finally(() => this.#measuring.delete(job)),
      cancel: () => this.#link.send({ type: 'cancel_evaluation', job }),
    };
  }

  /** What runs have kept. */
  async evaluations(runs: readonly string[]): Promise<readonly EvaluationRecord[]> {
    return (await this.#runLink.request((id) => ({ type: 'read_evaluations', id, runs })))
      .evaluations;
  }

  async drawPrompts(run: string, count: number, seed: number): Promise<readonly Turns[]> {
    const dataset = this.#record(run)?.stage?.dataset;
    if (!dataset || dataset.task === 'own') return [];
    const drawn = { ...dataset, size: count, eval_size: 1, seed };
    const { prompts } = await this.#runLink.request((id) => ({
      type: 'draw_prompts',
      id,
      dataset: drawn,
    }));
    return prompts;
  }

  async votes(run: string): Promise<readonly Vote[]> {
    return (await this.#runLink.request((id) => ({ type: 'read_votes', id, run }))).votes;
  }
  async vote(vote: Vote): Promise<readonly Vote[]> {
    return (await this.#runLink.request((id) => ({ type: 'vote', id, vote }))).votes;
  }
  async undoVote(run: string): Promise<readonly Vote[]> {
    return (await this.#runLink.request((id) => ({ type: 'undo_vote', id, run }))).votes;
  }

  /** The latest batch of the current run, token by token; null before its first step. */
  async inspect(): Promise<ShownStep | null> {
    return (await this.#runLink.request((id) => ({ type: 'inspect', id }))).step;
  }

  /** The answers that a run has sampled, as far as it keeps them. */
  async rollouts(run: string): Promise<readonly RolloutRecord[]> {
    return (await this.#runLink.request((id) => ({ type: 'read_rollouts', id, run }))).rollouts;
  }

  /** Ends the worker of the models. */
  stop(): void {
    this.#link.close();
    this.#open.clear();
  }

  #record(run: string) {
    return this.#stores.library.getState().runs.find((record) => record.run === run);
  }

  #closeOldest(): void {
    const [oldest] = this.#open.keys();
    if (this.#open.size < MAX_OPEN || oldest === undefined) return;
    this.#open.delete(oldest);
    const closing = this.#link.request((id) => ({ type: 'close_model', id, model: oldest }));
    // Its memory is gone with the worker, too.
    closing.catch(() => undefined);
  }

  #hear(event: Event): void {
    if (event.type === 'token') this.#writing.get(event.id)?.(event.pieces);
    if (event.type === 'evaluation_progress') this.#measuring.get(event.job)?.(event);
    if (event.type === 'models_lost') for (const model of event.models) this.#open.delete(model);
  }
}
