/**
 * Measures generation in steady state: every row continues one token, over several contexts, so that
 * re-reading the context after it slides is included.
 */
import {
  type KernelTime,
  onWebGpu,
  type Program,
  profilePrograms,
  Store,
  submitStatistics,
} from '../src/backend/index.ts';
import { type BackendName, type ResolvedModel, resolveModel } from '../src/config/index.ts';
import { Generator } from '../src/model/generate.ts';
import { initialValues, listParameters } from '../src/model/index.ts';
import { CONFIGS, type ConfigName, runConfig } from './configs.ts';
import { startDevice } from './device.ts';
import { mean, median } from './statistics.ts';

export interface GenerateOptions {
  config: ConfigName;
  backend: BackendName;
  /** Rows that are generated at the same time. */
  batch: number;
  /** Tokens of each row. */
  tokens: number;
  seed: number;
  temperature: number;
  top_k: number;
  top_p: number;
  profile: boolean;
  /** Threads of the engine on the processor; 0 for as many as are fastest. */
  threads: number;
}

export interface GenerateRow {
  config: string;
  backend: string;
  mode: 'generate';
  batch: number;
  /** Milliseconds for one token of every row: median over spans of tokens. */
  ms: number;
  /** The same, as a mean over all spans except the first. */
  meanMs: number;
  tokensPerSec: number;
  /** Dispatches for one token of every row; null without programs. */
  dispatches: number | null;
  /** Milliseconds of JavaScript for encoding and submitting one token of every row. */
  encodeMs: number | null;
  /** Milliseconds from the request to the first token; the programs are already compiled. */
  firstTokenMs: number;
  compileMs: number;
  sampling: string;
  /** The first 16 tokens of the first row: the same in every run. */
  firstIds: number[];
  profile: KernelTime[] | null;
  adapter: string;
}

const PROFILE_REPEATS = 20;
const FIRST_IDS = 16;

/** Throws if the device reports an error. */
export async function measureGeneration(
  options: GenerateOptions,
  log: (line: string) => void,
): Promise<GenerateRow> {
  const { device, check } = await startDevice(options);
  const { vocab_size } = CONFIGS[options.config];
  const model = resolveModel(runConfig(options.config, options.seed).model, vocab_size);
  const weights = randomWeights(model, options.seed);
  const begin = performance.now();
  const generator = await Generator.create(model, weights, null);
  const step = await generator.step(options.batch);
  const compileMs = performance.now() - begin;
  const times = await timeTokens(generator, model, options);
  const profile = options.profile ? await profileOf(step) : null;
  const { dispatches } = step;
  generator.dispose();
  weights.dispose();
  check();
  const ms = median(times.spans);
  const row: GenerateRow = {
    config: options.config,
    backend: device.backend,
    mode: 'generate',
    batch: options.batch,
    ms,
    meanMs: mean(times.spans),
    tokensPerSec: (1000 * options.batch) / ms,
    dispatches,
    encodeMs: onWebGpu() ? times.encodeMs : null,
    firstTokenMs: times.firstTokenMs,
    compileMs,
    sampling: `temperature ${options.temperature}, top_k ${options.top_k}, top_p ${options.top_p}`,
    firstIds: times.firstIds,
    profile,
    adapter: device.adapter,
  };
  log(summaryOf(row));
  return row;
}

function randomWeights(model: ResolvedModel, seed: number): Store {
  const parameters = listParameters(model);
  const weights = new Store('weights', parameters);
  for (const parameter of parameters) weights.write(parameter.name, initialValues(parameter, seed));
  return weights;
}

const profileOf = async (step: Program): Promise<KernelTime[] | null> =>
  onWebGpu() ? profilePrograms([step], PROFILE_REPEATS) : null;

interface TokenTimes {
  /** Milliseconds for one token of every row, of each span except the first. */
  spans: number[];
  firstTokenMs: number;
  encodeMs: number;
  firstIds: number[];
}

async function timeTokens(
  generator: Generator,
  model: ResolvedModel,
  options: GenerateOptions,
): Promise<TokenTimes> {
  const { batch, tokens, temperature, top_k, top_p, seed } = options;
  // When the context slides, half of it is read again and makes room for as many tokens. So each
  // span has one slide.
  const span = Math.min(Math.ceil(model.block_size / 2), Math.ceil(tokens / 4));
  const prompts = Array.from({ length: batch }, (_, row) => [(7 * row + 1) % model.vocab_size]);
  const sampling = { temperature, top_k, top_p, min_p: 0, sample_seed: seed };
  const marks: number[] = [];
  const firstIds: number[] = [];
  const encodedBefore = submitStatistics().encodeMs;
  const begin = performance.now();
  let firstTokenMs = NaN;
  let count = 0;
  const generated = generator.generateRows(prompts, { ...sampling, max_new_tokens: tokens });
  for await (const { row, choice } of generated) {
    if (count === 0) firstTokenMs = performance.now() - begin;
    if (row === 0 && firstIds.length < FIRST_IDS) firstIds.push(choice.id);
    count++;
    if (count % (span * batch) === 0) marks.push(performance.now());
  }
  return {
    spans: marks.slice(1).map((mark, i) => (mark - (marks[i] ?? NaN)) / span),
    firstTokenMs,
    encodeMs: (submitStatistics().encodeMs - encodedBefore) / tokens,
    firstIds,
  };
}

function summaryOf({ config, backend, batch, tokensPerSec, ms, firstTokenMs }: GenerateRow) {
  const speed = `${tokensPerSec.toFixed(0)} tokens/s, ${ms.toFixed(3)} ms per token`;
  return `${config} on ${backend}, ${batch} rows: ${speed}, first after ${firstTokenMs.toFixed(2)} ms`;
}
