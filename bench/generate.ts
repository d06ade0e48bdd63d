/**
 * Generation timed in steady state: every row goes on from one token, over several contexts, so
 * that reading the context again is counted.
 */
import {
  type KernelTime,
  onWebGpu,
  profilePrograms,
  Store,
  submitStatistics,
} from '../src/backend/index.ts';
import { type BackendName, resolveModel } from '../src/config/index.ts';
import { Generator } from '../src/model/generate.ts';
import { initialValues, listParameters } from '../src/model/index.ts';
import { CONFIGS, type ConfigName, runConfig } from './configs.ts';
import { startDevice } from './device.ts';
import { mean, median } from './statistics.ts';

export interface GenerateOptions {
  config: ConfigName;
  backend: BackendName;
  /** Rows at once. */
  batch: number;
  /** Tokens of each. */
  tokens: number;
  seed: number;
  temperature: number;
  top_k: number;
  top_p: number;
  profile: boolean;
}

export interface GenerateRow {
  config: string;
  backend: string;
  mode: 'generate';
  batch: number;
  /**
   * Milliseconds for one token of every row: median over spans of tokens, and mean over all but the
   * first span.
   */
  ms: number;
  meanMs: number;
  tokensPerSec: number;
  /** Dispatches a token (of all rows); null where there are no programs. */
  dispatches: number | null;
  /** JavaScript that encodes and submits, a token. */
  encodeMs: number | null;
  /** From asking to the first token, programs compiled. */
  firstTokenMs: number;
  compileMs: number;
  sampling: string;
  /** Of the first row: equal from run to run. */
  firstIds: number[];
  profile: KernelTime[] | null;
  adapter: string;
}

const PROFILE_REPEATS = 20;

export async function measureGeneration(
  o: GenerateOptions,
  log: (line: string) => void,
): Promise<GenerateRow> {
  const { device, check } = await startDevice(o.backend);
  const c = CONFIGS[o.config];
  const model = resolveModel(runConfig(o.config, o.seed).model, c.vocab_size);
  const weights = new Store('weights', listParameters(model));
  for (const p of listParameters(model)) weights.write(p.name, initialValues(p, o.seed));
  const begin = performance.now();
  const generator = await Generator.create(model, weights, null);
  const step = await generator.step(o.batch);
  const compileMs = performance.now() - begin;
  // Half a context makes room for as many tokens again: a span has one reading of it.
  const span = Math.min(Math.ceil(model.block_size / 2), Math.ceil(o.tokens / 4));
  const prompts = Array.from({ length: o.batch }, (_, b) => [(7 * b + 1) % c.vocab_size]);
  const sampling = {
    temperature: o.temperature,
    top_k: o.top_k,
    top_p: o.top_p,
    min_p: 0,
    sample_seed: o.seed,
  };
  const marks: number[] = [];
  const firstIds: number[] = [];
  const before = submitStatistics().encodeMs;
  const asked = performance.now();
  let count = 0;
  let first = NaN;
  for await (const { row, choice } of generator.generateRows(prompts, {
    ...sampling,
    max_new_tokens: o.tokens,
  })) {
    if (Number.isNaN(first)) first = performance.now() - asked;
    if (row === 0 && firstIds.length < 16) firstIds.push(choice.id);
    if (++count % (span * o.batch) === 0) marks.push(performance.now());
  }
  const encodeMs = (submitStatistics().encodeMs - before) / o.tokens;
  const spans = marks.slice(1).map((m, i) => (m - (marks[i] ?? NaN)) / span);
  const ms = median(spans);
  const profile = o.profile && onWebGpu() ? await profilePrograms([step], PROFILE_REPEATS) : null;
  const { dispatches } = step;
  generator.dispose();
  weights.dispose();
  check();
  const row: GenerateRow = {
    config: o.config,
    backend: device.backend,
    mode: 'generate',
    batch: o.batch,
    ms,
    meanMs: mean(spans),
    tokensPerSec: (1000 * o.batch) / ms,
    dispatches,
    encodeMs: onWebGpu() ? encodeMs : null,
    firstTokenMs: first,
    compileMs,
    sampling: `temperature ${o.temperature}, top_k ${o.top_k}, top_p ${o.top_p}`,
    firstIds,
    profile,
    adapter: device.adapter,
  };
  log(
    `${o.config} on ${row.backend}, ${o.batch} rows: ${row.tokensPerSec.toFixed(0)} tokens/s, ${ms.toFixed(3)} ms a token, first after ${first.toFixed(2)} ms`,
  );
  return row;
}
