/**
 * One rank of a run: a trainer that computes its part of every step together with the others. All
 * ranks must call the same asynchronous methods in the same order, and get the same results. Each of
 * these methods throws RankLost if another rank is gone or does not answer.
 */
import { PartStore, readback, submitWithBoundaries } from '../backend/index.ts';
import {
  type Batch,
  type Mesh,
  type MetricRow,
  type RankMemory,
  type RolloutRecord,
  worldSize,
} from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { disposeStores, parameterSize } from '../model/index.ts';
import type { Objective, Source, Sums } from '../objectives/index.ts';
import { learningRate } from '../optim/index.ts';
import {
  sourceState,
  type StepResult,
  type TrainerState,
  withSourceState,
} from '../train/index.ts';
import { Group } from './collectives.ts';
import { gatherWeights } from './data.ts';
import { gatherState } from './gather_state.ts';
import { loadState } from './load_state.ts';
import { SquaredNorms } from './norm.ts';
import { buildRank, type RankOptions, type RankParts } from './rank_build.ts';
import { memoryOf } from './rank_memory.ts';
import { RankScoring } from './rank_scoring.ts';
import { rowsOfRank } from './rows.ts';
import { ShardedWeights } from './sharded_weights.ts';
import { Recorder } from './traffic.ts';
import { type Link, now } from './transport/link.ts';

export class RankTrainer {
  step = 0;
  tokens = 0;
  /** May be set on any rank; all ranks see it in the same step, as `paused`. */
  pauseRequested = false;
  /** Whether some rank had `pauseRequested` in the latest step, so that all ranks stop after it. */
  paused = false;
  /** Always 0: ranks compute in float32, without a loss scale that could overflow. */
  readonly skipped_steps = 0;
  /** Simulates a device that is this many times slower; at least 1. */
  slowness = 1;
  /** `from` is null here, so that the arrays of the initial state can be freed. */
  readonly options: Readonly<RankOptions>;
  readonly #parts: RankParts;
  readonly #source: Source;
  readonly #scoring: RankScoring;
  /** The run's factor on its learning-rate schedule. */
  readonly #lrMultiplier: number;

  private constructor(options: RankOptions, parts: RankParts) {
    this.options = { ...options, from: null };
    this.#parts = parts;
    this.step = options.from?.step ?? 0;
    this.tokens = options.from?.tokens ?? 0;
    this.#lrMultiplier = options.from?.lr_multiplier ?? 1;
    this.#scoring = new RankScoring(parts);
    this.#source = parts.objective.source({
      ...parts.setting,
      split: options.split,
      programs: this.#scoring,
      restored: sourceState(options.from),
    });
  }

  /** The group of all ranks, for what they exchange before they have a trainer. */
  static worldOf(mesh: Mesh, link: Link): Group {
    const ranks = Array.from({ length: worldSize(mesh) }, (_, rank) => rank);
    return new Group(ranks, link, new Recorder());
  }

  /** @throws ShaderError, BindingTooLarge, DataError, or RangeError if the mesh cannot train the run */
  static async create(options: RankOptions): Promise<RankTrainer> {
    const parts = await buildRank(options);
    loadState(parts, options.from ?? null);
    return new RankTrainer(options, parts);
  }

  /** Bytes that this rank holds, including what the objective's source has needed so far. */
  get memory(): Omit<RankMemory, 'allocated'> {
    const memory = memoryOf(this.#parts);
    const { ownBytes, scratchBytes } = this.#scoring;
    const scratch = Math.max(memory.scratch, scratchBytes);
    const programs = memory.programs + ownBytes;
    return { ...memory, ...this.#scoring.rolloutMemory(scratch), programs, scratch };
  }

  /** Parameters of the whole model. */
  get n_params(): number {
    return this.#parts.wholes.reduce((sum, parameter) => sum + parameterSize(parameter), 0);
  }

  get model(): ResolvedModel {
    return this.#parts.model;
  }
  get objective(): Objective {
    return this.#parts.objective;
  }
  /** Tokens in a row of a batch. */
  get row_length(): number {
    return this.#parts.stores.block_size;
  }
  /** Prompts that were not trained on. */
  get held_out_prompts(): number {
    return this.#parts.setting.data?.prompts.val.length ?? 0;
  }
  /** Pairs of answers that the objective learns from. */
  get train_pairs(): number {
    return this.#parts.setting.data?.pairs.train.length ?? 0;
  }
  /** Tokens of a step of all ranks, padding included. */
  get tokensPerStep(): number {
    const { objective, setting } = this.#parts;
    const { batch_size, block_size } = objective.shape(setting);
    return batch_size * block_size * setting.config.training.gradient_accumulation_steps;
  }
  /** Learning rate of a step, counted from 0. */
  learningRateAt(step: number): number {
    return learningRate(this.options.config.training, step) * this.#lrMultiplier;
  }

  get recorder(): Recorder {
    return this.#parts.recorder;
  }

  /** One optimizer step of all ranks; the result is the same on each of them. */
  async takeStep(): Promise<StepResult> {
    const began = now();
    const { microBatches, reduction, setting, stores, wholes, mesh } = this.#parts;
    const { seed } = setting.config.training;
    const batches = await this.#source.step(this.step);
    await microBatches.train(this.#rowsOfRank(batches), { seed, step: this.step });
    await this.#simulateSlowness(began);
    const norms = new SquaredNorms(wholes.length, mesh);
    await reduction.finish(norms);
    const sums = await this.#reduceSums();
    const squares = await norms.total(this.#parts.groups.world);
    this.#parts.squares.write('squares', Float32Array.of(squares));
    stores.sums.write('sums', sums);
    const results = await this.#update();
    this.step++;
    const step_tokens = batches.reduce((sum, batch) => sum + tokensOf(batch), 0);
    this.tokens += step_tokens;
    return this.#resultOf(results, { ms: now() - began, step_tokens });
  }

  /** The objective's evaluation, by all ranks together. */
  async evaluate(): Promise<Partial<MetricRow>> {
    const { microBatches, objective, setting } = this.#parts;
    const batches = await this.#source.evaluation();
    const totals = new Array<number>(objective.sums.length).fill(0);
    const random = { seed: setting.config.training.seed, step: this.step };
    for (const batch of this.#rowsOfRank(batches)) {
      const sums = await this.#sumOverRanks(await microBatches.evaluate(batch, random));
      for (const [i, value] of sums.entries()) totals[i] = (totals[i] ?? 0) + value;
    }
    const measured = await this.#source.measure?.();
    // Without batches all sums are 0, from which a loss of 0 would follow.
    if (batches.length === 0) return { ...measured };
    const data = { batches, split: this.options.split };
    return { ...objective.evaluationMetrics(this.#sumsByName(totals), data), ...measured };
  }

  /** The state for a checkpoint, gathered on rank 0; null on the others. */
  async state(): Promise<TrainerState | null> {
    const tensors = await gatherState(this.#parts);
    if (!tensors) return null;
    const { step, tokens } = this;
    const objective_tensors = withSourceState(tensors.objective_tensors, this.#source);
    const lr_multiplier = this.#lrMultiplier;
    return { ...tensors, objective_tensors, step, tokens, lr_multiplier };
  }

  /** A sentence for the user about a problem of the data, returned once; null if there is none. */
  takeNotice(): string | null {
    return this.#source.takeNotice?.() ?? null;
  }

  /** Answers that all ranks have sampled for training since the last call. */
  takeRollouts(): RolloutRecord[] {
    return this.#source.takeRollouts?.() ?? [];
  }

  dispose(): void {
    const { microBatches, update, optimizer, squares, stores, owned, referenceCopy } = this.#parts;
    this.#scoring.dispose();
    microBatches.dispose();
    update.dispose();
    optimizer.dispose();
    squares.dispose();
    for (const part of [owned.weights, owned.gradients]) {
      if (part instanceof PartStore) part.dispose();
    }
    disposeStores(stores);
    referenceCopy?.dispose();
  }

  #rowsOfRank(batches: readonly Batch[]): Batch[] {
    const { mesh, place } = this.#parts;
    return batches.map((batch) => rowsOfRank(batch, place.dp, mesh.dp));
  }

  /** Waits as long as a device that is `slowness` times slower would still compute. */
  async #simulateSlowness(began: number): Promise<void> {
    if (this.slowness <= 1) return;
    const start = now();
    const missing = (this.slowness - 1) * (start - began);
    await new Promise((resolve) => setTimeout(resolve, missing));
    this.recorder.span({ kind: 'compute', what: 'slower device', start, end: now() });
  }

  /** The sums of a step over all ranks. Also finds out whether any rank has asked for a pause. */
  async #reduceSums(): Promise<Float32Array<ArrayBuffer>> {
    const [own] = await readback([this.#parts.stores.sums.get('sums')]);
    const request = Float32Array.of(this.pauseRequested ? 1 : 0);
    // Awaited together: if a rank is lost, both are rejected.
    const [requests, sums] = await Promise.all([
      this.#parts.groups.world.sum(request, 'pause requests'),
      this.#sumOverRanks(Float32Array.from(own ?? [])),
    ]);
    this.paused = (requests[0] ?? 0) > 0;
    return sums;
  }

  /** Sums over all ranks. Of the ranks of tensor parallelism, whose sums are equal, the first counts. */
  #sumOverRanks(sums: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { groups, place } = this.#parts;
    return groups.world.sum(place.tp === 0 ? sums : sums.map(() => 0), 'sums');
  }

  async #update(): Promise<Float32Array> {
    const { mesh, groups, shards, optimizer, update, stores, owned, recorder } = this.#parts;
    const start = now();
    optimizer.prepare(this.step, this.learningRateAt(this.step));
    await submitWithBoundaries([update]);
    const [results] = await readback([update.outputs.results]);
    recorder.span({ kind: 'update', what: 'update', start, end: now() });
    if (stores.weights instanceof ShardedWeights) await stores.weights.updated();
    if (mesh.zero_stage === 1 || mesh.zero_stage === 2) {
      await gatherWeights(stores.weights.trainable, owned.weights, {
        group: groups.dp,
        shards,
        bucket: stores.weights.trainable.names,
      });
    }
    return Float32Array.from(results ?? []);
  }

  /** The first values by the names of the objective's sums. */
  #sumsByName(values: ArrayLike<number>): Sums {
    const { objective } = this.#parts;
    return Object.fromEntries(objective.sums.map((name, i) => [name, values[i] ?? NaN]));
  }

  /** `results`: the objective's sums, and then the norm of the gradients. */
  #resultOf(
    results: Float32Array,
    { ms, step_tokens }: { ms: number; step_tokens: number },
  ): StepResult {
    const { objective } = this.#parts;
    const sums = this.#sumsByName(results);
    return {
      step: this.step,
      loss: sums.loss ?? NaN,
      metrics: { ...objective.stepMetrics(sums), ...this.#source.stepMetrics?.() },
      grad_norm: results[objective.sums.length] ?? NaN,
      skipped: false,
      ms,
      total_tokens: this.tokens,
      step_tokens,
    };
  }
}

const tokensOf = (batch: Batch): number => batch.tokens ?? batch.ids.length;
