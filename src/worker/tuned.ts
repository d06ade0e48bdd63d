/**
 * The choices of the matmul tuner, stored in the browser by adapter and browser version, and the
 * choices that each run was compiled with: a resumed run uses the same ones again, so that it gives
 * the same numbers as if it had never stopped.
 */
import * as v from 'valibot';
import { isSoftware, onWebGpu } from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';
import { type Choices, COLUMN_SUMS, prepareMatmuls, seenMatmuls } from '../ops/index.ts';

/** Version of the kernels: increased whenever the same choice would mean another kernel. */
const KERNELS = 1;
const FILE = 'kernels.json';
/** Runs that are remembered. */
const RUNS = 100;

const ChoicesSchema = v.record(
  v.pipe(v.string(), v.maxLength(100)),
  v.strictObject({
    tile: v.pipe(v.string(), v.maxLength(100)),
    splits: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096)),
    columns: v.picklist(COLUMN_SUMS),
  }),
);
const FileSchema = v.strictObject({
  kernels: v.literal(KERNELS),
  devices: v.record(v.string(), ChoicesSchema),
  runs: v.array(v.strictObject({ run: v.string(), device: v.string(), choices: ChoicesSchema })),
});
export type TunedFile = v.InferOutput<typeof FileSchema>;

/**
 * Parses the stored file. Empty if it was written for another version of the kernels or cannot be
 * read; the tuner then starts over.
 */
export function parseTuned(text: string): TunedFile {
  try {
    const result = v.safeParse(FileSchema, JSON.parse(text));
    if (result.success) return result.output;
  } catch {
    /* no JSON */
  }
  return { kernels: KERNELS, devices: {}, runs: [] };
}

/**
 * The choices of a run, and the file with these recorded: the run's own if it began on this device,
 * otherwise the device's.
 */
export function choicesOfRun(
  file: TunedFile,
  run: string,
  device: string,
): { choices: Choices; file: TunedFile } {
  const own = file.runs.find((r) => r.run === run && r.device === device);
  const choices = own?.choices ?? file.devices[device] ?? {};
  return {
    choices,
    file: own
      ? file
      : {
          ...file,
          runs: [{ run, device, choices }, ...file.runs.filter((r) => r.run !== run)].slice(
            0,
            RUNS,
          ),
        },
  };
}

export async function loadTuned(): Promise<TunedFile> {
  try {
    const handle = await (await navigator.storage.getDirectory()).getFileHandle(FILE);
    return parseTuned(await (await handle.getFile()).text());
  } catch {
    return parseTuned('');
  }
}

/** A failure is ignored: the choices are then only lost, and tuned again later. */
export async function saveTuned(file: TunedFile): Promise<void> {
  try {
    const handle = await (
      await navigator.storage.getDirectory()
    ).getFileHandle(FILE, { create: true });
    const access = await handle.createSyncAccessHandle();
    try {
      access.truncate(0);
      access.write(new TextEncoder().encode(JSON.stringify(file)), { at: 0 });
      access.flush();
    } finally {
      access.close();
    }
  } catch {
    /* see above */
  }
}

const deviceKey = (adapter: string): string => `${adapter}, ${navigator.userAgent}`;

/**
 * Sets the matmul choices of a run (or null: of a comparison) before its first program is compiled.
 * Resolves to whether matmuls use subgroup matrices.
 */
export async function setTunedProducts(
  adapter: string,
  run: string | null,
  { training, runtime }: RunConfig,
): Promise<{ subgroup_matrices: boolean }> {
  if (!onWebGpu()) return { subgroup_matrices: false };
  const before = await loadTuned();
  const key = deviceKey(adapter);
  const { choices, file } =
    run === null
      ? { choices: before.devices[key] ?? {}, file: before }
      : choicesOfRun(before, run, key);
  if (file !== before) await saveTuned(file);
  return prepareMatmuls(choices, training.mixed_precision === 'fp16' && runtime.subgroup_matrices);
}

/** Milliseconds of one tuning, at most; the next one continues where it stopped. */
const BUDGET_MS = 1000;

/**
 * Tunes the matmuls that were compiled since `setTunedProducts`, while nothing else runs. Applies
 * to runs that begin later.
 */
export async function tuneInPause(adapter: string, stopped: () => boolean): Promise<void> {
  if (!onWebGpu() || isSoftware()) return;
  const { tuneMatmuls } = await import('../ops/matmul/tuner.ts');
  const file = await loadTuned();
  const key = deviceKey(adapter);
  const known = file.devices[key] ?? {};
  const found = await tuneMatmuls(seenMatmuls(), known, { stopped, budget_ms: BUDGET_MS });
  if (Object.keys(found).length > Object.keys(known).length)
    await saveTuned({ ...file, devices: { ...file.devices, [key]: found } });
}
