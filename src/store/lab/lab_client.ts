/**
 * The parallel lab: trains one run on several ranks, each a worker with a device of its own. The page
 * only starts them, tells them how many steps to take together, and collects what they report.
 */
import { type Mesh, randomId, type RankStep, worldSize } from '../../common/index.ts';
import type { RunConfig, RuntimeConfig } from '../../config/index.ts';
import type { Event, OpenedFiles, PagePort } from '../../protocol/index.ts';
import { MetricTable } from '../columns.ts';
import {
  createLab,
  emptyLab,
  hasRanks,
  isIdle,
  type LabPhase,
  type LabRank,
  type LabStore,
} from './lab_state.ts';
import { RankError, RankLinks } from './rank_links.ts';
import { StepTable } from './step_table.ts';

export interface LabStart {
  mesh: Mesh;
  config: RunConfig;
  files: OpenedFiles;
  backend: RuntimeConfig['backend'];
  name: string;
  /** A saved run whose last checkpoint is continued, and its step; null for new weights. */
  from: { run: string; step: number } | null;
}

export interface LabHooks {
  spawn: () => PagePort;
  /** The library has changed. */
  saved?: () => void;
  /** All ranks have taken a step. */
  stepped?: (reports: readonly RankStep[]) => void;
}

/** Milliseconds between two updates of the store at least. */
const REFRESH_MS = 250;
/** How long ranks may take to say what the loss of another rank means for them. */
const LAST_WORDS_MS = 5000;

export class LabClient {
  readonly store: LabStore;
  /** Losses by step. Mutable; its `version` rises with every change. */
  readonly table = new MetricTable();
  readonly #hooks: LabHooks;
  #links: RankLinks | null = null;
  #steps = new StepTable(1);
  #pausing = false;
  #refresh: ReturnType<typeof setTimeout> | null = null;

  constructor(hooks: LabHooks, store: LabStore = createLab()) {
    this.#hooks = hooks;
    this.store = store;
  }

  /** Ends the ranks of the run before, starts new ones, and trains. Never rejects. */
  async start(start: LabStart): Promise<void> {
    const { mesh, config, name } = start;
    const size = worldSize(mesh);
    this.#close();
    this.table.clear();
    this.#steps = new StepTable(size);
    const ranks = Array.from({ length: size }, (_, rank): LabRank => {
      return { rank, status: 'starting', memory: null, slowness: 1, failure: '' };
    });
    const run = randomId();
    this.store.setState({ ...emptyLab, phase: 'opening', mesh, config, run, name, ranks });
    const links = new RankLinks(size, this.#hooks.spawn, {
      event: (_rank, event) => {
        if (this.#links === links) this.#hear(event);
      },
      died: (rank, reason) => {
        if (this.#links === links) this.#lose(links, rank, `its worker stopped: ${reason}`);
      },
    });
    this.#links = links;
    await this.#carryOut(links, async () => {
      await this.#open(links, start);
      await this.#train(links);
    });
  }

  /** Ends training after the step that is in flight. */
  pause(): void {
    const { phase } = this.store.getState();
    if (phase !== 'training' && phase !== 'evaluating') return;
    this.#pausing = true;
    this.#become('pausing');
    this.#links?.send({ type: 'pause_rank' });
  }

  async resume(): Promise<void> {
    const links = this.#links;
    if (!links || this.store.getState().phase !== 'paused') return;
    await this.#carryOut(links, () => this.#train(links));
  }

  /** Keeps the run in the library; the next time, as its next checkpoint. */
  async save(): Promise<void> {
    const links = this.#links;
    const { phase, run, name } = this.store.getState();
    if (!links || !isIdle({ phase })) return;
    this.#become('saving');
    await this.#carryOut(links, async () => {
      const answers = await links.all((link) =>
        link.request((id) => ({ type: 'save_rank', id, run, name })),
      );
      const { step, bytes } = answers[0] ?? { step: 0, bytes: null };
      this.store.setState({ phase, saved: { step, bytes: bytes ?? 0 } });
      this.#hooks.saved?.();
    });
  }

  /** The rank computes as if its device were `factor` times slower. */
  slow(rank: number, factor: number): void {
    this.#links?.get(rank)?.send({ type: 'slow_rank', factor });
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
    this.#show();
    this.#close();
    if (hasRanks(this.store.getState())) this.#become('stopped');
  }

  async #open(links: RankLinks, start: LabStart): Promise<void> {
    const { mesh, config, files, backend, from } = start;
    const size = worldSize(mesh);
    // Ranks compare with each other only if none has more threads than another.
    links.start({ type: 'set_threads', threads: 1 });
    const ports = RankLinks.join(size);
    const reducerPorts = RankLinks.join(size);
    const opened = await links.all((link, rank) =>
      link.request((id) => ({
        type: 'open_rank',
        id,
        rank,
        mesh,
        config,
        backend,
        ports: [...(ports[rank] ?? [])],
        reducer_ports: [...(reducerPorts[rank] ?? [])],
        resume: from?.run ?? null,
        ...files,
      })),
    );
    const [first] = opened;
    const { backend: used = '', n_params = 0 } = first ?? {};
    this.store.setState({ backend: used, n_params, step: from?.step ?? 0 });
  }

  async #train(links: RankLinks): Promise<void> {
    const { config } = this.store.getState();
    if (!config) return;
    const { max_iters, eval_interval } = config.training;
    this.#pausing = false;
    for (;;) {
      const { step } = this.store.getState();
      if (step >= max_iters) return this.#rest('done');
      if (this.#pausing) return this.#rest('paused');
      this.#become('training');
      const steps = Math.min(eval_interval - (step % eval_interval), max_iters - step);
      const answers = await links.all((link) =>
        link.request((id) => ({ type: 'train_rank', id, steps })),
      );
      const now = answers[0]?.step ?? step;
      this.store.setState({ step: now });
      if (now === step + steps) await this.#evaluate(links, now);
    }
  }

  async #evaluate(links: RankLinks, step: number): Promise<void> {
    if (!this.#pausing) this.#become('evaluating');
    const answers = await links.all((link) =>
      link.request((id) => ({ type: 'evaluate_rank', id })),
    );
    const loss = answers[0]?.loss ?? null;
    if (loss === null) return;
    this.table.append({ step: Float64Array.of(step), 'val/loss': Float64Array.of(loss) });
  }

  #rest(phase: 'done' | 'paused'): void {
    this.#show();
    this.#become(phase);
  }

  /** Does something with all ranks; if one of them cannot, that ends the run. */
  async #carryOut(links: RankLinks, what: () => Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      if (this.#links !== links || this.store.getState().phase === 'failed') return;
      const rank = error instanceof RankError ? error.rank : 0;
      const message = error instanceof Error ? error.message : String(error);
      this.#change(rank, { failure: message });
      this.#fail(
        links,
        `Rank ${rank} could not go on: ${message} ${this.#checkpoint()}`.trim(),
        rank,
      );
      links.send({ type: 'rank_gone', rank }, rank);
    }
  }

  #lose(links: RankLinks, rank: number, why: string): void {
    const sentence =
      `Rank ${rank} is gone (${why}), and no step is complete without it. ` +
      (this.#checkpoint() || 'Start again.');
    this.#change(rank, { status: 'gone', failure: why });
    this.#fail(links, sentence, rank);
    links.end(rank, `Rank ${rank} is gone.`);
    links.send({ type: 'rank_gone', rank }, rank);
  }

  /** A sentence about the last checkpoint; '' without one. */
  #checkpoint(): string {
    const { saved } = this.store.getState();
    if (!saved) return '';
    return `The checkpoint of step ${saved.step} is whole: continue from it, with any mesh.`;
  }

  /** Shows the failure, gives the other ranks time to tell theirs, and ends them. */
  #fail(links: RankLinks, failure: string, failed: number): void {
    if (this.store.getState().phase === 'failed') return;
    this.#show();
    this.store.setState({ phase: 'failed', failure });
    void links.lastWords(LAST_WORDS_MS).then((words) => {
      if (this.#links !== links) return;
      for (const { rank, message } of words)
        if (rank !== failed) this.#change(rank, { failure: message });
      this.#close();
    });
  }

  #hear(event: Event): void {
    switch (event.type) {
      case 'rank_opened':
        return this.#change(event.rank, { status: 'ready', memory: event.memory });
      case 'rank_step':
        return this.#heard(event.step, event.memory);
      default:
    }
  }

  #heard(report: RankStep, memory: LabRank['memory']): void {
    this.#memory.set(report.rank, memory);
    const reports = this.#steps.add(report);
    if (!reports) return;
    this.table.append({
      step: Float64Array.of(report.step),
      'train/loss': Float64Array.of(report.loss),
    });
    this.#hooks.stepped?.(reports);
    this.#refresh ??= setTimeout(() => this.#show(), REFRESH_MS);
  }
  readonly #memory = new Map<number, LabRank['memory']>();

  /** Brings the store up to date with what the ranks have reported. */
  #show(): void {
    if (this.#refresh !== null) clearTimeout(this.#refresh);
    this.#refresh = null;
    const { recent } = this.#steps;
    this.store.setState(({ ranks, step }) => ({
      recent,
      step: Math.max(step, recent.at(-1)?.[0]?.step ?? 0),
      ranks: ranks.map((rank) => ({ ...rank, memory: this.#memory.get(rank.rank) ?? rank.memory })),
    }));
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
    if (this.#refresh !== null) clearTimeout(this.#refresh);
    this.#refresh = null;
    this.#memory.clear();
    const links = this.#links;
    this.#links = null;
    links?.close();
  }
}
