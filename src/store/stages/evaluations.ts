/** Evaluations of saved models: what is measured now, and the results that the runs keep. */
import { createStore } from 'zustand/vanilla';
import type { EvaluationRecord } from '../../common/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import type { TableOrder } from '../../evaluation/index.ts';
import type { EvaluateCommand, Measurement, OpenedModel } from '../../protocol/index.ts';

export type { Measurement };
export type EvaluationRequest = Omit<EvaluateCommand, 'type' | 'id'>;

export interface EvaluationStep {
  /** In a few words. */
  of: string;
  done: number;
  total: number;
}

/** An evaluation that goes on. */
export interface RunningEvaluation {
  done: Promise<readonly EvaluationRecord[]>;
  cancel(): void;
}

/** Models that can be evaluated, by the ids of their runs. */
export interface EvaluationModels {
  open(run: string): Promise<Pick<OpenedModel, 'vocabulary' | 'is_reward'>>;
  evaluate(
    request: EvaluationRequest,
    onProgress: (step: EvaluationStep) => void,
  ): RunningEvaluation;
  /** What these runs have kept. */
  evaluations(runs: readonly string[]): Promise<readonly EvaluationRecord[]>;
}

/** What is measured of several models, one after the other. */
export interface EvaluationPlan {
  runs: readonly { run: string; name: string; parent: string | null }[];
  measure: readonly Measurement[];
  dataset: StageConfig['dataset'];
  settings: EvaluateCommand['settings'];
  /** The run of a reward model, for the learned reward. */
  reward_model: string | null;
}

export interface EvaluationsState {
  records: readonly EvaluationRecord[];
  loaded: boolean;
  /** The model that is measured now; null without one. */
  running: { name: string; step: EvaluationStep | null } | null;
  /** Models that come after it. */
  waiting: number;
  /** Why something was not measured, in sentences. */
  problems: readonly string[];
  order: TableOrder;
}

export const createEvaluations = () =>
  createStore<EvaluationsState>(() => ({
    records: [],
    loaded: false,
    running: null,
    waiting: 0,
    problems: [],
    order: { by: 'step', descending: false },
  }));
export type EvaluationsStore = ReturnType<typeof createEvaluations>;

/** At most one plan at a time. */
export class Evaluations {
  readonly store: EvaluationsStore;
  readonly #models: EvaluationModels;
  #cancelled = false;
  #current: RunningEvaluation | null = null;

  constructor(models: EvaluationModels, store = createEvaluations()) {
    this.#models = models;
    this.store = store;
  }

  /** Reads what the runs have kept. */
  async load(runs: readonly string[]): Promise<void> {
    try {
      const records = await this.#models.evaluations(runs);
      this.store.setState({ records, loaded: true });
    } catch (error) {
      this.store.setState({ loaded: true, problems: [sentenceOf(error)] });
    }
  }

  /** Sorts the table by a column, and the other way round if it is sorted by it. */
  sortBy(by: string): void {
    this.store.setState(({ order }) => ({
      order: { by, descending: order.by === by ? !order.descending : by !== 'model' },
    }));
  }

  /** Measures the models; one that fails is told, and the next one follows. */
  async start(plan: EvaluationPlan): Promise<void> {
    if (this.store.getState().running) return;
    this.#cancelled = false;
    this.store.setState({ problems: [] });
    for (const [index, one] of plan.runs.entries()) {
      if (this.#cancelled) break;
      const { name } = one;
      this.store.setState({
        running: { name, step: null },
        waiting: plan.runs.length - index - 1,
      });
      try {
        await this.#measure(one, plan);
      } catch (error) {
        if (!this.#cancelled) this.#tell(`${name}: ${sentenceOf(error)}`);
      }
    }
    this.#current = null;
    this.store.setState({ running: null, waiting: 0 });
  }

  cancel(): void {
    this.#cancelled = true;
    this.#current?.cancel();
  }

  async #measure(
    { run, name, parent }: EvaluationPlan['runs'][number],
    { measure, dataset, settings, reward_model }: EvaluationPlan,
  ): Promise<void> {
    const opened = await this.#models.open(run);
    if (opened.is_reward) throw new Error('A reward model writes no answers, so it is left out.');
    const others = await this.#others(parent, reward_model);
    const wanted = measure.filter((what) => {
      const problem = whyNot(what, opened, others);
      if (problem !== null) this.#tell(`${name}: ${problem}`);
      return problem === null;
    });
    if (this.#cancelled || wanted.length === 0) return;
    const scores = others.reward?.vocabulary === opened.vocabulary;
    if (reward_model !== null && !scores && wanted.includes('rewards')) {
      this.#tell(`${name}: The reward model has another tokenizer, so its reward is left out.`);
    }
    const request: EvaluationRequest = {
      model: run,
      parent: others.parent ? (parent ?? undefined) : undefined,
      reward_model: scores ? (reward_model ?? undefined) : undefined,
      measure: wanted,
      dataset,
      settings,
    };
    const running = this.#models.evaluate(request, (step) =>
      this.store.setState({ running: { name, step } }),
    );
    this.#current = running;
    const records = await running.done;
    this.store.setState((state) => ({ records: [...state.records, ...records] }));
    for (const note of new Set(records.flatMap(({ notes }) => notes)))
      this.#tell(`${name}: ${note}`);
  }

  async #others(parent: string | null, reward: string | null): Promise<Others> {
    return {
      parent: parent === null ? null : await this.#models.open(parent),
      reward: reward === null ? null : await this.#models.open(reward),
    };
  }

  #tell(sentence: string): void {
    this.store.setState(({ problems }) => ({ problems: [...problems, sentence] }));
  }
}

type Opened = Awaited<ReturnType<EvaluationModels['open']>>;

interface Others {
  parent: Opened | null;
  reward: Opened | null;
}

/** Why a model cannot be measured so; null if it can. */
function whyNot(what: Measurement, { vocabulary }: Opened, { parent }: Others): string | null {
  if (what !== 'win_rate' && what !== 'kl') return null;
  if (!parent) return 'It has no parent here, so there is nothing to compare with.';
  if (what === 'kl' && parent.vocabulary !== vocabulary) {
    return 'Its parent has another vocabulary, so KL is left out.';
  }
  return null;
}

const sentenceOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
