/**
 * The parallel lab: trains one run on several ranks, each a worker with a device of its own. The page
 * only starts them, tells them how many steps to take together, and collects what they report.
 */
import { type MetricRow, randomId, worldSize } from '../../common/index.ts';
import type { Event, PagePort, RankEvent } from '../../protocol/index.ts';
import type { MetricTable } from '../columns.ts';
import {
  createLab,
  emptyLab,
  hasRanks,
  isIdle,
  mayPause,
  type LabPhase,
  type LabRank,
  type LabState,
  type LabStore,
} from './lab_state.ts';
import { rankFailed, rankGone, runFailed } from './lab_sentences.ts';
import { LabReports, type Stepped } from './lab_reports.ts';
import { type LabStart, openRanks } from './open_ranks.ts';
import { RankError, RankLinks } from './rank_links.ts';

export interface LabHooks {
  spawn: () => PagePort;
  /** Saves by itself while it trains, as `isAutosaveDue` says, and when training pauses or is done. */
  saves?: boolean;
  /** The library has changed. */
  saved?: () => void;
  stepped?: Stepped;
  /** What an evaluation has measured. */
  evaluated?: (metrics: MetricRow) => void;
}

/** How long ranks may take to say what the loss of another rank means for them. */
const LAST_WORDS_MS = 5000;

export class LabClient {
  readonly store: LabStore;
  readonly #hooks: LabHooks;
  #links: RankLinks | null = null;
  readonly #reports: LabReports;
  #pausing = false;
  /** Why the run has failed, in a sentence that names its last checkpoint. */
  #failure: (state: LabState) => string = () => '';

  constructor(hooks: LabHooks, store: LabStore = createLab()) {
    this.#hooks = hooks;
    this.store = store;
    this.#reports = new LabReports(store, hooks.stepped);
  }

  /** Metrics by step. Mutable; its `version` rises with every change. */
  get table(): MetricTable {
    return this.#reports.table;
  }

  /** Ends the ranks of the run before, starts new ones, and trains. Never rejects. */
  async start(start: LabStart): Promise<void> {
    const { mesh, config, name, stage, from } = start;
    const size = worldSize(mesh);
    this.#close();
    this.#reports.begin(size);
    this.#pausing = false;
    const ranks = Array.from({ length: size }, (_, rank): LabRank => {
      return { rank, status: 'starting', memory: null, slowness: 1, failure: '' };
    });
    const run = randomId();
    this.store.setState({
      ...emptyLab,
      ...{ phase: 'opening', mesh, config, stage, run, name, ranks, from },
    });
    const links = new RankLinks(size, this.#hooks.spawn, {
      event: (_rank, event) => {
        if (this.#links === links) this.#hear(event);
      },
      died: (rank, why) => {
        if (this.#links === links) this.#lose(links, rank, why);
      },
    });
    this.#links = links;
    await this.#carryOut(links, async () => {
      this.store.setState(await openRanks(links, start));
      // As one rank does, so that the first loss is that of the weights it starts from.
      if (!start.from) await this.#evaluate(links);
      await this.#train(links);
    });
  }

  /** Ends training after the step that is in flight. */
  pause(): void {
    if (!mayPause(this.store.getState())) return;
    this.#pausing = true;
    this.#become('pausing');
    this.#links?.send({ type: 'pause_rank' });
  }

  async resume(): Promise<void> {
    const links = this.#links;
    if (!links || this.store.getState().phase !== 'paused') return;
    this.#pausing = false;
    await this.#carryOut(links, () => this.#train(links));
  }

  /** Keeps the run in the library; the next time, as its next checkpoint. */
  async save(): Promise<void> {
    const links = this.#links;
    const { phase } = this.store.getState();
    if (!links || !isIdle({ phase })) return;
    await this.#carryOut(links, async () => {
      await this.#save(links);
      this.#become(phase);
    });
  }

  /** The rank computes as if its device were `factor` times slower. */
  slow(rank: number, factor: number): void {
    this.#links?.send({ type: 'slow_rank', rank, factor });
    this.#change(rank, { slowness: factor });
  }

  /** Ends the worker of a rank, as a crash would. */
  kill(rank: number): void {
    const links = this.#links;
    if (!links || !hasRanks(this.store.getState())) return;
    this.#lose(links, rank, 'its worker was ended');
  }

  /** Ends all ranks. What was not saved is lost. */
  stop(): void {
    this.#reports.show();
    this.#close();
    if (hasRanks(this.store.getState())) this.#become('stopped');
  }

  async #train(links: RankLinks): Promise<void> {
    const { config } = this.store.getState();
    if (!config) return;
    const { max_iters, eval_interval } = config.training;
    const { saves: autosave = false } = this.#hooks;
    for (;;) {
      const { step } = this.store.getState();
      if (step >= max_iters) return this.#rest(links, 'done');
      if (this.#pausing) return this.#rest(links, 'paused');
      this.#become('training');
      const steps = Math.min(eval_interval - (step % eval_interval), max_iters - step);
      const answers = await links.all((link) =>
        link.request((id) => ({ type: 'train_rank', id, steps, autosave })),
      );
      const [first] = answers;
      const now = first?.step ?? step;
      this.store.setState({ step: now });
      if (now === step + steps) await this.#evaluate(links);
      if (first?.save_due) await this.#save(links, 'autosaving');
    }
  }

  async #evaluate(links: RankLinks): Promise<void> {
    if (!this.#pausing) this.#become('evaluating');
    const [first] = await links.all((link) =>
      link.request((id) => ({ type: 'evaluate_rank', id })),
    );
    if (!first) return;
    this.#reports.record(first.metrics);
    this.#hooks.evaluated?.(first.metrics);
  }

  async #rest(links: RankLinks, phase: 'done' | 'paused'): Promise<void> {
    this.#reports.show();
    const { step, saved, from } = this.store.getState();
    const isBehind = step > (saved?.step ?? from?.step ?? 0);
    if (this.#hooks.saves && isBehind) await this.#save(links);
    this.#become(phase);
  }

  /** What storage refuses is told; the ranks are kept, so that the run can be saved again. */
  async #save(links: RankLinks, phase: 'saving' | 'autosaving' = 'saving'): Promise<void> {
    const { run, name } = this.store.getState();
    if (!this.#pausing || phase === 'saving') this.#become(phase);
    await links.all(async (link) => {
      const answer = await link.request((id) => ({ type: 'save_rank', id, run, name }));
      if (this.#links === links && answer.rank === 0) this.#noteSave(answer);
    });
  }

  /** Rank 0 may end its save when another rank is gone: then the run has failed, but is saved. */
  #noteSave({ step, bytes, problem = '' }: Extract<RankEvent, { type: 'rank_saved' }>): void {
    this.store.setState({ save_problem: problem });
    if (!problem) this.store.setState({ saved: { step, bytes: bytes ?? 0 } });
    this.#tellFailure();
    this.#hooks.saved?.();
  }

  /** Does something with all ranks; if one of them cannot, that ends the run. */
  async #carryOut(links: RankLinks, what: () => Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      if (this.#links !== links || this.store.getState().phase === 'failed') return;
      const rank = error instanceof RankError ? error.rank : 0;
      const message = error instanceof Error ? error.message : String(error);
      const isOfAllRanks = error instanceof RankError && error.isOfAllRanks;
      if (!isOfAllRanks) this.#change(rank, { failure: message });
      const failure = (state: LabState): string =>
        isOfAllRanks ? runFailed(message, state) : rankFailed(rank, message, state);
      this.#fail(links, failure, rank);
      links.send({ type: 'rank_gone', rank }, rank);
    }
  }

  #lose(links: RankLinks, rank: number, why: string): void {
    this.#change(rank, { status: 'gone', failure: why });
    this.#fail(links, (state) => rankGone(rank, why, state), rank);
    links.end(rank, `Rank ${rank} is gone.`);
    links.send({ type: 'rank_gone', rank }, rank);
  }

  /** Shows the failure, gives the other ranks time to tell theirs, and ends them. */
  #fail(links: RankLinks, failure: (state: LabState) => string, failed: number): void {
    if (this.store.getState().phase === 'failed') return;
    this.#reports.show();
    this.#failure = failure;
    this.#become('failed');
    this.#tellFailure();
    void links.lastWords(LAST_WORDS_MS).then((words) => {
      if (this.#links !== links) return;
      for (const { rank, message, isOfAllRanks } of words)
        if (rank !== failed && !isOfAllRanks) this.#change(rank, { failure: message });
      this.#close();
    });
  }

  #tellFailure(): void {
    const state = this.store.getState();
    if (state.phase === 'failed') this.store.setState({ failure: this.#failure(state) });
  }

  #hear(event: Event): void {
    switch (event.type) {
      case 'rank_opened':
        return this.#change(event.rank, { status: 'ready', memory: event.memory });
      case 'rank_step':
        return this.#reports.add(event);
      case 'notice':
        return this.store.setState(({ notices }) => ({ notices: [...notices, event.message] }));
      default:
    }
  }

  #become(phase: LabPhase): void {
    this.store.setState({ phase });
  }

  #change(rank: number, change: Partial<LabRank>): void {
    this.store.setState(({ ranks }) => ({
      ranks: ranks.map((one) => (one.rank === rank ? { ...one, ...change } : one)),
    }));
  }

  #close(): void {
    this.#reports.end();
    const links = this.#links;
    this.#links = null;
    links?.close();
  }
}
