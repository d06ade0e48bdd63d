/**
 * Times every matmul of a training step, without its epilogue and with the plan that a run would
 * use, against tfjs's kernel: those of the configurations and of the page's presets.
 * `bench.html?matmuls=1&config=M,presets`.
 */
import { matMul } from '@tensorflow/tfjs-core';
import { compileProgram, type Outputs, type Program, timePrograms } from '../src/backend/index.ts';
import { PRESETS, resolveModel } from '../src/config/index.ts';
import { prepareMatmuls } from '../src/ops/index.ts';
import { matmulKernel } from '../src/ops/matmul/kernel.ts';
import { startDevice } from './device.ts';
import {
  type MatmulSet,
  matmulsOf,
  matmulsOfSizes,
  operandShapes,
  type StepMatmul,
  transposesOf,
} from './matmuls.ts';
import { NamedStores } from './named_stores.ts';
import { repeatsOfSlice } from './time_slices.ts';

export type MeasuredSet = MatmulSet | 'presets';
export interface MatmulsOptions {
  config: MeasuredSet;
}
export interface MatmulRow {
  mode: 'matmuls';
  /** Configuration or preset. */
  config: string;
  matmul: string;
  us: number;
  tfjsUs: number;
  tflops: number;
  adapter: string;
}

/** Vocabulary size assumed for presets with a character tokenizer. */
const CHARACTERS = 65;
const ROUNDS = 4;

interface Timing {
  program: Program<Outputs>;
  /** Milliseconds of one run in the best round. */
  best: number;
}

interface Case {
  matmul: StepMatmul;
  stores: NamedStores<'a' | 'b' | 'c'>;
  ours: Timing;
  tfjs: Timing;
}

/** Throws if the device reports an error. */
export async function measureMatmuls(
  { config }: MatmulsOptions,
  log: (line: string) => void,
  keep: (rows: MatmulRow[]) => void,
): Promise<MatmulRow[]> {
  const { device, check } = await startDevice({ backend: 'webgpu' });
  await prepareMatmuls();
  const rows: MatmulRow[] = [];
  const sets = config === 'presets' ? matmulsOfPresets() : { [config]: matmulsOf(config) };
  for (const [name, matmuls] of Object.entries(sets)) {
    const timed = await timeSet(matmuls);
    check();
    const added = timed.map((one) => rowOf(one, name, device.adapter));
    rows.push(...added);
    keep(rows);
    log(summaryOf(name, added));
  }
  return rows;
}

function matmulsOfPresets(): Record<string, StepMatmul[]> {
  const entries = PRESETS.map(({ id, config: { model, training, tokenizer } }) => {
    const vocab_size = tokenizer.kind === 'bpe' ? tokenizer.vocab_size : CHARACTERS;
    const resolved = resolveModel(model, vocab_size);
    const matmuls = matmulsOfSizes({
      tokens: training.batch_size * resolved.block_size,
      n_embd: resolved.n_embd,
      qkv_width: resolved.n_embd + 2 * resolved.head_dim * resolved.n_kv_head,
      n_inner: resolved.n_inner,
      vocab_size: resolved.vocab_size,
    });
    return [id, matmuls] as const;
  });
  return Object.fromEntries(entries);
}

const nameOf = ({ form, M, N, K }: StepMatmul): string => `${form} ${M}x${N}x${K}`;

/** Times matmuls of one size once, whatever their epilogues. */
async function timeSet(matmuls: readonly StepMatmul[]): Promise<Case[]> {
  const distinct = new Map(matmuls.map((matmul) => [nameOf(matmul), matmul]));
  const cases: Case[] = [];
  for (const matmul of distinct.values()) cases.push(await prepare(matmul));
  await timeAll(cases.flatMap(({ ours, tfjs }) => [ours, tfjs]));
  for (const { stores, ours, tfjs } of cases) {
    ours.program.dispose();
    tfjs.program.dispose();
    stores.dispose();
  }
  return cases;
}

async function prepare(matmul: StepMatmul): Promise<Case> {
  const shapes = operandShapes(matmul);
  const stores = new NamedStores(['a', 'b', 'c'], (name) => shapes[name]);
  stores.fill(['a', 'b']);
  const transposes = transposesOf(matmul);
  const ours = await compileProgram('ours', (): Outputs => {
    matmulKernel(stores.get('a'), stores.get('b'), { ...transposes, to: stores.get('c') });
    return {};
  });
  const { transpose_a, transpose_b } = transposes;
  const tfjs = await compileProgram('tfjs', (): Outputs => ({
    c: matMul(stores.get('a'), stores.get('b'), transpose_a, transpose_b),
  }));
  return {
    matmul,
    stores,
    ours: { program: ours, best: Infinity },
    tfjs: { program: tfjs, best: Infinity },
  };
}

async function timeAll(timings: readonly Timing[]): Promise<void> {
  // The first round warms up and shows how many runs fill a slice.
  const first = await timePrograms(timings.map(({ program }) => ({ program, repeats: 1 })));
  const entries = timings.map(({ program }, i) => ({ program, repeats: repeatsOfSlice(first[i]) }));
  for (let round = 0; round < ROUNDS; round++) {
    const times = await timePrograms(entries);
    timings.forEach((timing, i) => {
      const ms = times[i] ?? NaN;
      if (ms < timing.best) timing.best = ms;
    });
  }
}

function rowOf({ matmul, ours, tfjs }: Case, config: string, adapter: string): MatmulRow {
  const { M, N, K } = matmul;
  return {
    mode: 'matmuls',
    config,
    matmul: nameOf(matmul),
    us: 1000 * ours.best,
    tfjsUs: 1000 * tfjs.best,
    tflops: (2 * M * N * K) / ours.best / 1e9,
    adapter,
  };
}

function summaryOf(name: string, rows: readonly MatmulRow[]): string {
  const slower = rows.filter(({ us, tfjsUs }) => us > tfjsUs);
  const listed = slower.map(({ matmul, us, tfjsUs }) => `${matmul} ${(us / tfjsUs).toFixed(2)}x`);
  const verdict =
    slower.length === 0 ? 'none slower than tfjs' : `slower than tfjs: ${listed.join(', ')}`;
  return `${name}: ${rows.length} matmuls, ${verdict}`;
}
