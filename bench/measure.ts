/** Measures training of one configuration on one backend in steady state. */
import {
  gpuMemory,
  hasOwnKernels,
  type KernelTime,
  onWebGpu,
  profilePrograms,
  setProgramMode,
  timeOnWall,
} from '../src/backend/index.ts';
import { storageOf } from '../src/backend/float16.ts';
import { parseStage } from '../src/config/stage/index.ts';
import { pretrain } from '../src/objectives/index.ts';
import { type Choices, prepareMatmuls, seenMatmuls } from '../src/ops/index.ts';
import { tuneMatmuls } from '../src/ops/matmul/tuner.ts';
import { Trainer } from '../src/train/index.ts';
import { measurePeak } from '../src/worker/peak.ts';
import { type BenchOptions, CONFIGS, type Mode, randomTokens, runConfig } from './configs.ts';
import { startDevice } from './device.ts';
import { median } from './statistics.ts';
import { GROUP, measureSteadyState, type SteadyState } from './steady_state.ts';
import { type BenchRow, type Measured, rowOf } from './step_row.ts';
import { stepTaker } from './take_step.ts';

const PROFILE_REPEATS = 20;

type Log = (line: string) => void;

/** Throws if the device reports an error. */
export async function measure(options: BenchOptions, log: Log): Promise<BenchRow> {
  const begin = performance.now();
  const { device, check } = await startDevice(options);
  const started = performance.now();
  const mode: Mode = hasOwnKernels() ? options.mode : 'reference';
  setProgramMode(mode === 'replay' ? 'replay' : 'op_by_op');
  try {
    const create = trainerFactory(options);
    const subgroupMatrices = onWebGpu() && (await prepare(options, create, log));
    const trainer = await create();
    const compiled = performance.now();
    const { mixed_precision: precision, reason } = trainer.precision;
    if (reason !== null) log(reason);
    const take = stepTaker(trainer, mode === 'reference' ? 'references' : 'kernels');
    take();
    const losses = (await trainer.drain()).map(({ loss }) => loss);
    const firstLossMs = performance.now() - started;
    const { config, backend, steps, seconds } = options;
    log(
      `${config} on ${backend}, ${mode}: first loss ${losses[0]?.toFixed(4)} after ${firstLossMs.toFixed(0)} ms`,
    );
    const dtype = frozenDtype(trainer);
    const steady = await measureSteadyState({ trainer, take, losses }, { mode, steps, seconds });
    const memory = onWebGpu() ? gpuMemory() : null;
    const replayed = mode === 'replay';
    const programs = replayed ? await timeProgramsOf(trainer, steady, options) : NOT_REPLAYED;
    trainer.dispose();
    const peak = options.peak > 0 ? await measurePeak(options.peak) : null;
    check();
    const times = { startMs: started - begin, compileMs: compiled - started, firstLossMs };
    return rowOf(options, {
      mode,
      precision,
      dtype,
      subgroupMatrices,
      steady,
      ...programs,
      memory,
      peak,
      device,
      losses,
      times,
    });
  } finally {
    setProgramMode('replay');
  }
}

/** How the frozen weights are kept, which may not be what was asked for. */
function frozenDtype({ stores: { weights } }: Trainer): Measured['dtype'] {
  const { frozen } = weights;
  const isHalved = frozen?.names.some((name) => storageOf(frozen.get(name)) === 'float16');
  return isHalved ? 'float16' : 'float32';
}

function trainerFactory(options: BenchOptions): () => Promise<Trainer> {
  const { config: name, seed, recompute, precision, lora, dtype } = options;
  const config = runConfig(name, seed, recompute, precision);
  const split = randomTokens(name, seed);
  const { vocab_size } = CONFIGS[name];
  const peft = { peft_type: 'lora', r: lora, lora_alpha: 2 * lora, dtype } as const;
  const stage = lora > 0 ? parseStage({ peft }) : null;
  return () => Trainer.create({ config, objective: pretrain, split, vocab_size, stage });
}

/** Tunes matmuls if requested. Returns whether subgroup matrices are in use. */
async function prepare(
  { config, precision, tune }: BenchOptions,
  create: () => Promise<Trainer>,
  log: Log,
): Promise<boolean> {
  const choices = tune > 0 ? await tuneFor(create, tune, log) : {};
  const { subgroup_matrices } = await prepareMatmuls(choices, precision === 'fp16');
  const use = subgroup_matrices ? 'in use' : 'not in use';
  log(`${config}, precision ${precision}: subgroup matrices ${use}`);
  return subgroup_matrices;
}

/** The tuner's choices for the matmuls of a trainer, found in at most `budget_ms` milliseconds. */
async function tuneFor(
  create: () => Promise<Trainer>,
  budget_ms: number,
  log: Log,
): Promise<Choices> {
  await prepareMatmuls();
  (await create()).dispose();
  const begin = performance.now();
  const matmuls = seenMatmuls();
  const choices = await tuneMatmuls(matmuls, {}, { stopped: () => false, budget_ms });
  const count = Object.keys(choices).length;
  const ms = (performance.now() - begin).toFixed(0);
  log(`${count} of ${matmuls.length} matmuls tuned in ${ms} ms: ${JSON.stringify(choices)}`);
  return choices;
}

interface ProgramTimes {
  programsMs: number | null;
  profile: KernelTime[] | null;
}
const NOT_REPLAYED: ProgramTimes = { programsMs: null, profile: null };

async function timeProgramsOf(
  trainer: Trainer,
  { groupMs }: SteadyState,
  { profile }: BenchOptions,
): Promise<ProgramTimes> {
  const { programs } = trainer;
  return {
    programsMs: await timeOnWall(programs, repeatsOfSecond(median(groupMs))),
    profile: profile ? await profilePrograms(programs, PROFILE_REPEATS) : null,
  };
}

/** Runs that take a second, but at least as many as are in flight in steady state. */
const repeatsOfSecond = (ms: number): number =>
  Math.min(200, Math.max(2 * GROUP, Math.ceil(1000 / ms)));
