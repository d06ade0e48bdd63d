/**
 * Bubble and overlap against their formulas, in Node on the engine on the processor, one thread a
 * rank. Needs the built file and the engine's builds beside it, no node_modules:
 *
 *     npx vite build --config bench/parallel/vite.config.ts
 *     node dist-bench/ranks/ranks.mjs OUT.jsonl [--seconds 230] [--steps 12] [--only pp=2] [--no-bind]
 *
 * Writes one line of JSON a case as it goes. After all cases it repeats those of the pipeline while
 * there is time.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Mesh, ONE_RANK, type RankStep, worldSize } from '../../src/common/index.ts';
import { bubbleFraction, overlapFraction } from '../../src/plan/parallel/index.ts';
import { bubbleOf } from '../../src/store/lab/bubble.ts';
import {
  bucketBytes,
  bucketOverlap,
  laidOutBubble,
  reductionMs,
} from '../../src/ui/lab/schedule_measures.ts';
import { processors } from './cores.ts';
import { isThread, type RankRun, runThread, trainInThreads } from './rank_threads.ts';

/** So wide that embedding, head and messages take little of the passes' time. */
const MODEL = { n_layer: 8, n_head: 4, n_embd: 192, block_size: 64 };

/** Gradients of 25 MB. */
const WIDE = { ...MODEL, n_embd: 256 };

type Row = Record<string, unknown>;

interface Case {
  name: string;
  measure(run: Omit<RankRun, 'mesh' | 'micro_batches' | 'rows' | 'reducer'>): Promise<Row>;
}

const pipeline = (mesh: Partial<Mesh>, micro_batches: number): Case => {
  const whole: Mesh = { ...ONE_RANK, ...mesh };
  return {
    name: `${Object.entries(mesh)
      .map(([key, value]) => `${key}=${value}`)
      .join(',')} m=${micro_batches}`,
    measure: async (how) => {
      const run = { ...how, mesh: whole, micro_batches, rows: 4, reducer: false };
      const { steps, bound } = await trainInThreads(run);
      return { bound, ...bubbles(steps, whole, micro_batches) };
    },
  };
};

const interleaved = { pp: 2, schedule: 'interleaved', virtual_chunks: 2 } as const;
const PIPELINES: readonly Case[] = [
  pipeline({ pp: 2, schedule: '1f1b' }, 4),
  pipeline({ pp: 2, schedule: '1f1b' }, 8),
  pipeline({ pp: 4, schedule: '1f1b' }, 4),
  pipeline({ pp: 4, schedule: '1f1b' }, 8),
  pipeline({ pp: 4, schedule: 'gpipe' }, 4),
  pipeline({ pp: 4, schedule: 'gpipe' }, 8),
  pipeline(interleaved, 4),
  pipeline(interleaved, 8),
];

const data = (dp: number): Case => ({
  name: `dp=${dp}`,
  measure: async (how) => {
    const mesh: Mesh = { ...ONE_RANK, dp };
    const run = { ...how, mesh, micro_batches: 1, rows: 4 * dp, reducer: true, model: WIDE };
    const after = await trainInThreads({ ...run, bucket_bytes: Infinity });
    const during = await trainInThreads(run);
    return { bound: during.bound, ...overlaps(after.steps, during.steps) };
  },
});

function bubbles(steps: readonly RankStep[][], mesh: Mesh, micro_batches: number): Row {
  const formula = bubbleFraction(mesh, micro_batches);
  const measured = steps.map((step) => bubbleOf(step) ?? NaN);
  const laid_out = steps.map((step) => laidOutBubble(step, mesh, micro_batches) ?? NaN);
  return {
    formula,
    bubble: median(measured),
    over_formula: median(measured) / formula - 1,
    least: Math.min(...measured),
    most: Math.max(...measured),
    laid_out: median(laid_out),
    ms: stepMs(steps),
    passes: Array.from({ length: worldSize(mesh) }, (_, rank) => ({
      forward: passMs(steps, rank, 'forward'),
      backward: passMs(steps, rank, 'backward'),
    })),
    all: measured.map((bubble, i) => [bubble, laid_out[i]]),
  };
}

/** Quartiles of the milliseconds of all passes of a kind of a rank. */
function passMs(steps: readonly RankStep[][], rank: number, kind: 'forward' | 'backward') {
  const ms = steps.flatMap((step) =>
    (step[rank]?.spans ?? [])
      .filter((span) => span.kind === kind)
      .map(({ start, end }) => end - start),
  );
  return [0.25, 0.5, 0.75].map((share) => quantile(ms, share));
}

/**
 * `after`: steps that reduce when the pass is over, which shows how long it takes alone; `during`:
 * in buckets, while the backward pass goes on.
 */
function overlaps(after: readonly RankStep[][], during: readonly RankStep[][]): Row {
  const communication = median(after.map(reductionMs));
  const exposed_ms = median(during.map((step) => bucketOverlap(step)?.exposed_ms ?? NaN));
  const pass = (steps: readonly RankStep[][]): number =>
    median(steps.flatMap((step) => step.map(passOf)));
  const [first] = during;
  const bytes = first?.[0] ? bucketBytes(first[0]) : [];
  const formula = overlapFraction({ bytes, communication, backward: (2 / 3) * pass(after) });
  const overlap = 1 - exposed_ms / communication;
  return {
    formula,
    overlap,
    over_formula: overlap / formula - 1,
    communication_ms: communication,
    exposed_without_buckets_ms: median(after.map((step) => bucketOverlap(step)?.exposed_ms ?? NaN)),
    write_ms: median(during.flatMap((step) => step.map(writeOf))),
    exposed_ms,
    // The copies that the rank's own thread makes lengthen the pass.
    pass_ms: { after: pass(after), during: pass(during) },
    ms: { after: stepMs(after), during: stepMs(during) },
    in_lab: median(during.map((step) => bucketOverlap(step)?.measured ?? NaN)),
    bytes,
  };
}

/** Milliseconds in which a rank's own thread copies the sums into the engine's memory. */
const writeOf = ({ spans }: RankStep): number =>
  spans
    .filter(({ what }) => what === 'write gradients')
    .reduce((sum, { start, end }) => sum + (end - start), 0);

const passOf = ({ spans }: RankStep): number =>
  spans
    .filter(({ kind }) => kind === 'compute')
    .reduce((sum, { start, end }) => sum + (end - start), 0);

const stepMs = (steps: readonly RankStep[][]): number =>
  median(steps.map((step) => Math.max(...step.map(({ ms }) => ms))));

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}
const median = (values: readonly number[]): number => quantile(values, 0.5);

const IN_FILE_ONLY = new Set(['all', 'bytes', 'passes']);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '230' },
      steps: { type: 'string', default: '12' },
      only: { type: 'string', default: '' },
      'no-bind': { type: 'boolean', default: false },
    },
  });
  const [out] = positionals;
  if (!out) throw new Error('Usage: ranks.mjs OUT.jsonl [--seconds 230] [--steps 12]');
  const ends = Date.now() + 1000 * Number(values.seconds);
  const cores = values['no-bind'] ? [] : processors();
  const how = { model: MODEL, warm_up: 2, steps: Number(values.steps), cores };
  writeFileSync(out, '');
  const write = (row: Row): void => {
    appendFileSync(out, `${JSON.stringify(row)}\n`);
    const shown = Object.entries(row).filter(([key]) => !IN_FILE_ONLY.has(key));
    console.log(JSON.stringify(Object.fromEntries(shown)));
  };
  write({ node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, cores, model: MODEL });
  const cases = [...PIPELINES, data(2), data(4), ...PIPELINES].filter(({ name }) =>
    name.includes(values.only),
  );
  let longest = 0;
  for (const one of cases) {
    const began = Date.now();
    if (began + longest > ends) break;
    const row = await one.measure(how);
    longest = Math.max(longest, Date.now() - began);
    write({ case: one.name, seconds: (Date.now() - began) / 1000, ...row });
  }
}

if (isThread) await runThread();
else await main();
