/**
 * Bubble and overlap against their formulas, in Node on the engine on the processor, one thread a
 * rank. Needs the built file and the engine's builds beside it, no node_modules:
 *
 *     npx vite build --config bench/parallel/vite.config.ts
 *     node dist-bench/ranks/ranks.mjs OUT.jsonl [--seconds 270] [--steps 400] [--only pp=2] [--rows 1]
 *         [--cores 0,8,16,24] [--no-choice] [--no-bind] [--no-flags]
 *
 * All cases share the time evenly, so that each of them is reached; `--only` runs those whose names
 * contain a text. Writes one line of JSON a case as it goes, and every pass to OUT.passes.jsonl. `--rows`
 * are those of a micro-batch. Cores are chosen by measuring, unless `--cores` names them; `--no-choice`
 * takes the first ones and `--no-bind` binds no thread. `--no-flags` leaves V8 as it is.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import {
  type Mesh,
  ONE_RANK,
  type RankStep,
  type Span,
  worldSize,
} from '../../src/common/index.ts';
import { bubbleFraction, overlapFraction } from '../../src/plan/parallel/index.ts';
import { bucketBytes, bucketOverlap, reductionMs } from '../../src/ui/lab/schedule_measures.ts';
import { bubbleRow, median, pacedRow, paceOf, passesOf, type Row, stepMs } from './bubble_row.ts';
import { isThread, type RankRun, runThread, trainInThreads } from './rank_threads.ts';
import { type CoreRequest, RankCores } from './rank_cores.ts';

/** So wide that embedding, head and messages take little of the passes' time. */
const MODEL = { n_layer: 8, n_head: 4, n_embd: 192, block_size: 64 };

/** Gradients of 25 MB. */
const WIDE = { ...MODEL, n_embd: 256 };

/** Steps in which V8 compiles and memory is touched for the first time. */
const WARM_UP = 2;

type How = Pick<RankRun, 'steps' | 'patience' | 'cores'> & { rows: number };

interface Measured {
  row: Row;
  /** Every pass of every step. */
  passes?: unknown[][][];
}

interface Case {
  name: string;
  /** Ranks, and a reducer beside each if there are any. */
  threads: number;
  measure(how: How): Promise<Measured>;
}

const pipeline = (mesh: Partial<Mesh>, micro_batches: number): Case => {
  const whole: Mesh = { ...ONE_RANK, ...mesh };
  const fields = Object.entries(mesh).map(([key, value]) => `${key}=${value}`);
  return {
    name: `${fields.join(',')} m=${micro_batches}`,
    threads: worldSize(whole),
    measure: async (how) => {
      const run = {
        ...how,
        patience: how.patience / 2,
        model: MODEL,
        warm_up: WARM_UP,
        mesh: whole,
        micro_batches,
        reducer: false,
      };
      const { steps, bound } = await trainInThreads(run);
      const pace = paceOf(steps);
      const paced = await trainInThreads({ ...run, pace });
      const formula = bubbleFraction(whole, micro_batches);
      const row = {
        bound,
        ...bubbleRow(steps, whole, micro_batches),
        ...pacedRow(paced.steps, formula, pace),
      };
      return { row, passes: passesOf(steps) };
    },
  };
};

/** Data parallelism; half the time goes to steps that reduce their gradients after the pass. */
const data = (dp: number): Case => ({
  name: `dp=${dp}`,
  threads: 2 * dp,
  measure: async (how) => {
    const mesh: Mesh = { ...ONE_RANK, dp };
    const run = {
      ...how,
      patience: how.patience / 2,
      model: WIDE,
      warm_up: WARM_UP,
      mesh,
      micro_batches: 1,
      rows: how.rows * dp,
      reducer: true,
    };
    const after = await trainInThreads({ ...run, bucket_bytes: Infinity });
    const during = await trainInThreads(run);
    return { row: { bound: during.bound, ...overlaps(after.steps, during.steps) } };
  },
});

const interleaved = { pp: 2, schedule: 'interleaved', virtual_chunks: 2 } as const;

/** What matters most comes first. */
const CASES: readonly Case[] = [
  pipeline({ pp: 2, schedule: '1f1b' }, 4),
  pipeline({ pp: 4, schedule: '1f1b' }, 4),
  pipeline(interleaved, 4),
  pipeline({ pp: 2, schedule: '1f1b' }, 8),
  pipeline({ pp: 4, schedule: '1f1b' }, 8),
  pipeline({ pp: 4, schedule: 'gpipe' }, 4),
  data(2),
  data(4),
  pipeline(interleaved, 8),
  pipeline({ pp: 4, schedule: 'gpipe' }, 8),
];

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
const writeOf = (step: RankStep): number => spanMs(step, ({ what }) => what === 'write gradients');

const passOf = (step: RankStep): number => spanMs(step, ({ kind }) => kind === 'compute');

const spanMs = ({ spans }: RankStep, isCounted: (span: Span) => boolean): number =>
  spans.filter(isCounted).reduce((sum, { start, end }) => sum + (end - start), 0);

/** Fields that are too long for the terminal. */
const IN_FILE_ONLY = new Set(['all', 'bytes', 'passes', 'alone']);

/** V8's own threads, which collect garbage and compile, are idle with these. */
const FLAGS = [
  '--single-threaded-gc',
  '--max-semi-space-size=64',
  '--no-liftoff',
  '--no-wasm-lazy-compilation',
];

/** What a case takes beyond its steps. */
const START_MS = 2500;

interface Options {
  out: string;
  seconds: number;
  steps: number;
  rows: number;
  cases: readonly Case[];
  cores: CoreRequest;
}

async function measure({ out, seconds, cases, ...options }: Options): Promise<void> {
  const { rows, steps } = options;
  const ends = Date.now() + 1000 * seconds;
  const passFile = out.replace(/(\.jsonl)?$/u, '.passes.jsonl');
  for (const file of [out, passFile]) writeFileSync(file, '');
  const write = (row: Row): void => {
    appendFileSync(out, `${JSON.stringify(row)}\n`);
    const shown = Object.entries(row).filter(([key]) => !IN_FILE_ONLY.has(key));
    console.log(JSON.stringify(Object.fromEntries(shown)));
  };
  const machine = { cpu: cpus()[0]?.model, cpus: cpus().length };
  write({ node: process.version, flags: process.execArgv, ...machine, model: MODEL, rows });
  const cores = new RankCores(options.cores);
  write({ ...(await cores.choose()) });
  for (const [i, one] of cases.entries()) {
    const began = Date.now();
    if (began > ends) break;
    const share = (ends - began) / (cases.length - i);
    const how = { steps, rows, patience: Math.max(0, share - START_MS) };
    const { result, seen } = await cores.watch(one.threads, () =>
      one.measure({ ...how, cores: cores.chosen }),
    );
    write({ case: one.name, seconds: (Date.now() - began) / 1000, ...result.row, ...seen });
    const passes = { case: one.name, passes: result.passes };
    if (result.passes) appendFileSync(passFile, `${JSON.stringify(passes)}\n`);
  }
}

function optionsOf(args: readonly string[]): Options & { flags: boolean } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '270' },
      steps: { type: 'string', default: '400' },
      rows: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      cores: { type: 'string' },
      'no-choice': { type: 'boolean', default: false },
      'no-bind': { type: 'boolean', default: false },
      'no-flags': { type: 'boolean', default: false },
    },
  });
  const [out] = positionals;
  if (!out) throw new Error('Usage: ranks.mjs OUT.jsonl [--seconds 270] [--steps 400]');
  return {
    out,
    seconds: Number(values.seconds),
    steps: Number(values.steps),
    rows: Number(values.rows),
    cases: CASES.filter(({ name }) => name.includes(values.only)),
    cores: {
      given: values.cores?.split(',').map(Number),
      choose: !values['no-choice'],
      bind: !values['no-bind'],
    },
    flags: !values['no-flags'],
  };
}

/** Starts this program again with V8's flags, which must be there before its threads. */
async function main(): Promise<void> {
  const args = process.argv.slice(1);
  const { flags, ...options } = optionsOf(args.slice(1));
  if (flags && !process.execArgv.includes(FLAGS[0] ?? '')) {
    const { status } = spawnSync(process.execPath, [...FLAGS, ...args], { stdio: 'inherit' });
    process.exitCode = status ?? 1;
  } else {
    await measure(options);
  }
}

if (isThread) await runThread();
else await main();
