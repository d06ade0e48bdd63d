/**
 * Bundles of runs on the engine. If WAY_OUT_DIR is set, they are written there with the losses and the
 * batches of further steps, for scripts/check_way_out.py, which runs train.py on a machine that has
 * PyTorch:
 *
 *     WAY_OUT_DIR=.cache/way_out npx vitest run --project node src/checkpoint/bundle/bundles.test.ts
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startBackend } from '../../backend/index.ts';
import { useBuildsFromFiles } from '../../testing/node_engine.ts';
import {
  beginCase,
  bundleOf,
  continued,
  furtherIds,
  takeSteps,
  WAY_OUT_CASES,
  type WayOutRun,
} from '../../testing/way_out.ts';
import type { TrainerState } from '../../train/index.ts';
import { encodeJson } from '../json.ts';

const folder = process.env.WAY_OUT_DIR;
const BEFORE = folder ? 50 : 2;
const AFTER = folder ? 240 : 1;
const BATCHES = 20;

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

let run: WayOutRun | null = null;
afterEach(() => run?.trainer.dispose());

it.each(WAY_OUT_CASES)(
  'writes $name with its tokens and its program',
  async (one) => {
    run = await beginCase(one, folder ? undefined : BEFORE);
    await takeSteps(run.trainer, BEFORE);
    const { state, files } = await bundleOf(run);
    const ids = await furtherIds(run, BATCHES);
    const losses = await takeSteps(run.trainer, AFTER);
    expect(losses.every((loss) => Number.isFinite(loss))).toBe(true);
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['train.py', 'data/train.bin', 'checkpoint/training_state.json']),
    );
    if (!folder) return;
    const { n_params } = run.trainer;
    const control = await otherOrder(run, state, losses.length);
    const expected = { step: state.step, losses, control, ids, n_params };
    for (const [path, bytes] of [...files, ['expected.json', encodeJson(expected)] as const]) {
      const target = join(folder, one.name, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    }
  },
  900_000,
);

/** The losses of the same steps on the engine itself, with sums in another order. */
async function otherOrder(original: WayOutRun, state: TrainerState, steps: number) {
  const other = await continued(original, state, 4);
  const losses = await takeSteps(other.trainer, steps);
  other.trainer.dispose();
  return losses;
}
