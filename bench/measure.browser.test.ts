import { afterEach, describe, expect, it } from 'vitest';
import { setProgramMode } from '../src/backend/index.ts';
import '../src/ops/alignment.ts';
import '../src/ops/parallel.ts';
import '../src/ops/generation.ts';
import { allOps, recordOf } from '../src/ops/index.ts';
import { defaultConfig } from '../src/config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../src/data/index.ts';
import { jobsOf } from './jobs.ts';
import { measureMatmuls } from './matmuls_vs_tfjs.ts';
import { encode } from './encode.ts';
import { measureGeneration } from './generate.ts';
import { planRun } from '../src/plan/index.ts';
import { type BenchOptions, CONFIGS, runConfig } from './configs.ts';
import { measureLosses } from './losses.ts';
import { measure } from './measure.ts';
import type { BenchRow } from './step_row.ts';
import { type EntriesOf, measureOps, type OpsOptions, recordEntries } from './ops.ts';
import { expectClose } from '../src/testing/expect_close.ts';
import { searchMatmuls } from './search.ts';
import { largestRelativeDifference, median } from './statistics.ts';

const options: BenchOptions = {
  config: 'tiny',
  backend: 'webgpu',
  mode: 'replay',
  steps: 16,
  seconds: Infinity,
  seed: 7,
  profile: false,
  peak: 64,
  tune: 0,
  threads: 1,
  recompute: 'none',
  lora: 0,
  dtype: 'float32',
  precision: 'no',
};
const measured = (changes: Partial<BenchOptions>): Promise<BenchRow> =>
  measure({ ...options, ...changes }, () => undefined);
const KEYS = [
  'config',
  'backend',
  'mode',
  'ms',
  'tokensPerSec',
  'dispatches',
  'submits',
  'encodeMs',
  'gpuBytes',
  'gflops',
  'peakShare',
  'firstLossMs',
  'browser',
  'adapter',
];
const finite = (row: BenchRow): boolean =>
  [
    row.ms,
    row.meanMs,
    row.tokensPerSec,
    row.gflops,
    row.peakShare,
    row.firstLossMs,
    row.hostMs,
  ].every((v) => v !== null && Number.isFinite(v) && v > 0);

function countsOf({ mode, ms, encodeMs, dispatches, submits }: BenchRow): string {
  const times = `${ms.toFixed(1)} ms, encoding ${encodeMs?.toFixed(2)} ms`;
  return `${mode}: ${times}, ${dispatches} dispatches, ${submits} submits`;
}

const quiet: OpsOptions = {
  size: 'tiny',
  only: null,
  log: () => undefined,
  keep: () => undefined,
};

afterEach(() => setProgramMode('replay'));

describe('the bench', () => {
  it('replays a step in one submit and a third of the encoding time of op by op', async () => {
    const replay = await measured({ profile: true });
    const direct = await measured({ mode: 'op_by_op', peak: 0 });
    const plain = await measured({ mode: 'reference', peak: 0 });
    console.log([replay, direct, plain].map(countsOf).join('; '));
    expect(Object.keys(replay)).toEqual(expect.arrayContaining(KEYS));
    expect(finite(replay)).toBe(true);
    expect(replay.steps).toBeGreaterThanOrEqual(16);
    expect(replay.programsMs).toBeGreaterThan(0);
    expect([direct.programsMs, plain.programsMs]).toEqual([null, null]);
    expect(replay.submits).toBe(1);
    expect(replay.gpuBytes).toBeGreaterThan(0);
    expect(direct.dispatches).toBe(replay.dispatches);
    expect(plain.dispatches).toBeGreaterThan(replay.dispatches ?? Infinity);
    expect(replay.encodeMs).toBeLessThan((direct.encodeMs ?? 0) / 3);
    expect(direct.losses).toEqual(replay.losses);
    plain.losses.forEach((loss, i) =>
      expect(Math.abs(loss / (replay.losses[i] ?? NaN) - 1)).toBeLessThan(1e-4),
    );
    if (replay.features.includes('timestamp-query')) {
      expect(replay.profile?.reduce((n, k) => n + k.count, 0)).toBe(replay.dispatches);
      expect(replay.profile?.some((k) => /^matmul n[nt] 32x\d+x\d+/u.test(k.kernel))).toBe(true);
    } else expect(replay.profile).toBeNull();
  });

  it('says how the frozen base was kept, which only WebGPU keeps in float16', async () => {
    const lora = { lora: 2, dtype: 'float16', steps: 2, peak: 0 } as const;
    expect((await measured(lora)).dtype).toBe('float16');
    expect((await measured({ ...lora, backend: 'wasm' })).dtype).toBe('float32');
    expect((await measured({ ...lora, lora: 0 })).dtype).toBe('float32');
  });

  it('matches the plain reference for 100 steps, repeats bit for bit and does not leak', async () => {
    const first = await measured({ steps: 600, peak: 0 });
    const again = await measured({ steps: 100, peak: 0 });
    const plain = await measured({
      backend: 'wasm',
      mode: 'reference',
      steps: 100,
      peak: 0,
    });
    const [start, end, plainEnd] = [first.losses[0], first.losses[99], plain.losses[99]];
    console.log(
      `${first.steps} steps of ${first.ms.toFixed(1)} ms`,
      `losses ${start?.toFixed(4)} to ${end?.toFixed(4)}, plain ${plainEnd?.toFixed(4)}`,
    );
    expect([first.steps, first.losses.length, plain.losses.length]).toEqual([600, 100, 100]);
    expect(again.losses).toEqual(first.losses);
    expectClose(first.losses, plain.losses, { atol: 0, rtol: 1e-4 }, 'losses of 100 steps');
    expect(first.gpuGrowthBytes).toBeLessThanOrEqual(0);
  });

  it('recomputes activations with the same losses, and with half of the memory for M', async () => {
    const kept = await measured({ peak: 0 });
    const again = await measured({ peak: 0, recompute: 'full' });
    expect(again.losses).toEqual(kept.losses);
    const planned = (recompute: BenchOptions['recompute']): number =>
      planRun(runConfig('M', 1, recompute), { vocab_size: CONFIGS.M.vocab_size }).memory
        .activations;
    expect(planned('full')).toBeLessThan(planned('none') / 2);
    expect(again.dispatches).toBeGreaterThan(kept.dispatches ?? Infinity);
  });

  it.each(['replay', 'op_by_op', 'reference'] as const)('measures wasm, %s', async (mode) => {
    const row = await measured({ backend: 'wasm', mode });
    expect(Object.keys(row)).toEqual(expect.arrayContaining(KEYS));
    expect(finite(row)).toBe(true);
    expect(row).toMatchObject({
      backend: 'wasm',
      mode,
      steps: 16,
      submits: null,
      gpuBytes: null,
    });
  });

  it.each([1, 3])('measures generation of %i rows', async (batch) => {
    const row = await measureGeneration(
      {
        config: 'tiny',
        backend: 'webgpu',
        batch,
        tokens: 24,
        seed: 5,
        temperature: 1,
        top_k: 3,
        top_p: 0.9,
        threads: 1,
        profile: false,
      },
      () => undefined,
    );
    expect(row).toMatchObject({
      config: 'tiny',
      backend: 'webgpu',
      mode: 'generate',
      batch,
      dispatches: 12,
    });
    expect(
      [row.ms, row.meanMs, row.tokensPerSec, row.firstTokenMs, row.compileMs].every(
        (v) => Number.isFinite(v) && v > 0,
      ),
      JSON.stringify(row),
    ).toBe(true);
  });

  it('compares our losses with the plain reference and with a second run', async () => {
    const kept: number[] = [];
    const [row] = await measureLosses(
      { config: 'tiny', steps: 12, seconds: Infinity, seed: 3, again: true },
      () => undefined,
      (rows) => kept.push(rows.length),
    );
    expect(row).toMatchObject({
      config: 'tiny',
      mode: 'losses',
      steps: 12,
      withinTolerance: true,
      deterministic: true,
      differsAtStep: null,
      why: null,
    });
    // The two runs round differently. Without any difference, one was compared with itself.
    expect(row?.largestDifference).toBeGreaterThan(0);
    expect([row?.losses.length, row?.plainLosses.length, kept[0]]).toEqual([12, 12, 1]);
  });

  it('ends the plain run at its time limit', async () => {
    const [row] = await measureLosses(
      { config: 'tiny', steps: 6, seconds: 0, seed: 3, again: false },
      () => undefined,
      () => undefined,
    );
    expect(row).toMatchObject({ steps: 1, deterministic: null, atStep: 1, withinTolerance: true });
    expect(row?.why).toMatch(/time limit of 0 s/u);
  });

  it('encodes a text and reports its speed in megabytes per second', async () => {
    const config = defaultConfig();
    const split = makeSplit(await loadCorpus({ ...config.data, corpus: 'names' }), config.data);
    const tokenizer = await makeTokenizer(
      { ...config.tokenizer, kind: 'bpe', vocab_size: 300 },
      split,
    );
    const tokens = makeTokenSplit(split, tokenizer);
    const row = await encode(split, () => tokenizer, 2);
    expect(row.tokens).toBe(tokens.train.length + tokens.val.length);
    expect(row.megabytes).toBeCloseTo([...split.train, ...split.val].join('').length / 1e6, 9);
    expect(row.mbPerSec).toBeCloseTo(row.megabytes / (row.encodeMs / 1000), 6);
  });

  it('has entries for every operation', () => {
    const entriesOf = recordEntries('tiny');
    const missing = allOps().filter((any) => any.visit((op) => entriesOf(op).length === 0));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('times every matmul of a step against tfjs', async () => {
    const kept: number[] = [];
    const rows = await measureMatmuls(
      { config: 'tiny' },
      () => undefined,
      (all) => {
        kept.push(all.length);
      },
    );
    expect(new Set(rows.map((r) => r.matmul)).size).toBe(rows.length);
    expect(rows.map((r) => r.matmul)).toEqual(
      expect.arrayContaining(['nn 32x48x16', 'nt 32x30x16', 'tn 16x32x32']),
    );
    expect(
      rows.every(
        (r) => Number.isFinite(r.us) && r.us > 0 && Number.isFinite(r.tfjsUs) && r.tfjsUs > 0,
      ),
    ).toBe(true);
    expect(kept).toEqual([rows.length]);
  });
  it('times an operation against its reference and a copy', async () => {
    const rows = await measureOps({ ...quiet, only: 'step_sums' });
    expect(rows.map((row) => row.op)).toEqual(['step_sums']);
    for (const row of rows)
      expect(
        [row.ms, row.referenceMs, row.copyMs, row.gbPerSec].every((v) => v !== null && v > 0),
        JSON.stringify(row),
      ).toBe(true);
  });

  it('reports why an operation fails and measures the next ones', async () => {
    const broken = {
      shape: [4],
      dtype: 'float32' as const,
      values: (): Float32Array => {
        throw new Error('no such weights');
      },
    };
    const entriesOf: EntriesOf = (op) =>
      op.name !== 'step_sums'
        ? []
        : recordEntries('tiny')(op).flatMap((entry) => [
            {
              ...entry,
              title: 'bad',
              inputs: recordOf(op.inputs, (name) =>
                String(name) === 'weights' ? broken : entry.inputs[name],
              ),
            },
            { ...entry, title: 'good' },
          ]);
    const rows = await measureOps({ ...quiet, only: 'dropout_add,step_sums', entriesOf });
    expect(rows.map((row) => [row.title, row.why, row.ms === null])).toEqual([
      ['bad', 'no such weights', true],
      ['good', null, false],
    ]);
  });

  it.each(['fc nn', 'gelu_grad', 'qkv dW'])(
    'checks and times every candidate for a matmul: %s',
    async (only) => {
      const rows = await searchMatmuls(
        { config: 'tiny', only, tile: '32x32x16', seconds: Infinity },
        () => undefined,
      );
      expect(rows.length).toBeGreaterThan(2);
      for (const r of rows)
        expect(r, JSON.stringify(r)).toMatchObject({ why: null, config: 'tiny' });
      for (const r of rows) expect(r.us, JSON.stringify(r)).toBeGreaterThan(0);
      expect(rows.filter((r) => r.difference !== null && r.difference < 1e-5).length).toBe(
        rows.length - 1,
      );
    },
  );
});

describe('largestRelativeDifference', () => {
  it('gives the index of the difference, up to the end of the shorter list', () =>
    expect(largestRelativeDifference([1, 3, 4], [1, 2])).toEqual({ difference: 0.5, index: 1 }));
  it('counts NaN as the largest difference', () =>
    expect(largestRelativeDifference([1, NaN], [2, 2])).toEqual({
      difference: Infinity,
      index: 1,
    }));
  it('is null for an empty list', () => expect(largestRelativeDifference([], [1])).toBeNull());
});

describe('the jobs of an address', () => {
  it('are one per configuration, backend and mode, with every precision on WebGPU only', () => {
    const query = 'config=T,S&backend=webgpu,wasm&mode=replay,op_by_op&precision=no,fp16&steps=9';
    const jobs = jobsOf(`?${query}`);
    expect(jobs.length).toBe(2 * (4 + 2));
    expect(jobs[4]).toMatchObject({ kind: 'step', config: 'T', backend: 'wasm', mode: 'replay' });
  });
  it('take fewer plain steps in the ladder', () => {
    const jobs = jobsOf('?ladder=1&config=T&steps=100&plain_steps=7');
    expect(jobs.map((job) => job.kind === 'step' && [job.backend, job.mode, job.steps])).toEqual([
      ['webgpu', 'replay', 100],
      ['webgpu', 'op_by_op', 100],
      ['webgpu', 'reference', 7],
      ['webgl', 'replay', 7],
      ['wasm', 'replay', 100],
      ['wasm', 'op_by_op', 100],
      ['wasm', 'reference', 7],
    ]);
  });
  it('are rejected with the allowed values', () =>
    expect(() => jobsOf('?matmuls=1&config=none')).toThrow(/config takes N, T, S.*not none/u));
});

describe('median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[5], 5],
  ])('of %j', (values, expected) => expect(median(values)).toBe(expected));
});
