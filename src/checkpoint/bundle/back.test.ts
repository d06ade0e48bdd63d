/**
 * What train.py saved for the page, after scripts/check_way_out.py: the folders in WAY_OUT_DIR/back, each
 * with the logits that PyTorch computed from the same weights.
 *
 *     WAY_OUT_DIR=.cache/way_out npx vitest run --project node src/checkpoint/bundle/back.test.ts
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend } from '../../backend/index.ts';
import { parseStage } from '../../config/stage/index.ts';
import { loraScale } from '../../model/adapter_parameters.ts';
import { mergeAdapters } from '../../model/merge.ts';
import { useBuildsFromFiles } from '../../testing/node_engine.ts';
import { beginCase, continued, takeSteps, WAY_OUT_CASES } from '../../testing/way_out.ts';
import { broughtFiles } from '../brought.ts';
import { readCheckpoint } from '../checkpoint.ts';
import type { ReadState } from '../checkpoint_state.ts';
import { FILES } from '../folder.ts';
import { isRecord, parseRecord } from '../json.ts';
import { splitExport } from '../run_extras.ts';
import { forward } from '../testing_forward.ts';

const root = process.env.WAY_OUT_DIR;
const back = root === undefined ? '' : join(root, 'back');
const folders = existsSync(back) ? readdirSync(back).sort() : [];

/** The folder as the page reads it, or as one that PEFT wrote, which has none of our own files. */
function readFolder(path: string, made_by: 'terrarium' | 'peft' = 'terrarium'): ReadState {
  const own: string[] = made_by === 'peft' ? [FILES.state, FILES.objective, FILES.stage] : [];
  const names = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  const brought = files.map(({ parentPath, name }) => {
    const whole = join(parentPath, name);
    return { path: whole.slice(path.length + 1), bytes: new Uint8Array(readFileSync(whole)) };
  });
  const theirs = brought.filter((file) => !own.includes(file.path));
  return readCheckpoint(splitExport(broughtFiles(theirs)).checkpoint);
}

/** The parameters with the adapters of the run, if any, merged into them. */
function mergedParameters({ model, parameters, objective_tensors, stage }: ReadState) {
  const { peft } = parseStage(stage ?? {});
  return peft.peft_type === 'lora'
    ? mergeAdapters(model, parameters, objective_tensors, loraScale(peft))
    : parameters;
}

/** The largest difference from the logits that PyTorch computed. */
function logitsDifference(folder: string, state: ReadState): number {
  const { model } = state;
  const logits = new Float32Array(
    new Uint8Array(readFileSync(join(back, folder, 'logits.f32'))).buffer,
  );
  const rows = logits.length / model.vocab_size;
  const ids = Array.from({ length: rows }, (_, t) => (t * 7 + t * t) % model.vocab_size);
  const ours = forward(model, mergedParameters(state), ids).flatMap((row) => [...row]);
  return Math.max(...ours.map((value, i) => Math.abs(value - (logits[i] ?? NaN))));
}

const hasAdapters = (folder: string): boolean =>
  existsSync(join(back, folder, 'checkpoint', 'adapter'));

function expectedLosses(name: string): number[] {
  const json = parseRecord(readFileSync(join(root ?? '', name, 'expected.json')), 'expected.json');
  if (!isRecord(json) || !Array.isArray(json.losses)) throw new Error('There are no losses.');
  return json.losses.map(Number);
}

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

describe.runIf(folders.length > 0)('a folder that train.py saved', () => {
  it.each(folders)('%s has the logits that PyTorch computed', (folder) => {
    const largest = logitsDifference(folder, readFolder(join(back, folder, 'checkpoint')));
    console.log(`${folder}: logits differ by at most ${largest.toExponential(1)}`);
    expect(largest).toBeLessThan(1e-4);
  });

  it.each(folders.filter(hasAdapters))('%s has the same logits by its adapter/', (folder) => {
    const state = readFolder(join(back, folder, 'checkpoint'), 'peft');
    expect(state.foreign).toBe(true);
    expect(logitsDifference(folder, state)).toBeLessThan(1e-4);
  });

  it.each(folders.filter((name) => name.endsWith('-unchanged')))(
    '%s is what went out, bit for bit',
    (folder) => {
      const [name = ''] = folder.split('-');
      const state = readFolder(join(back, folder, 'checkpoint'));
      const before = readFolder(join(root ?? '', name, 'checkpoint'));
      expect(state).toEqual(before);
    },
  );

  it.each(folders.filter((name) => name.endsWith('-after')))(
    '%s goes on at the loss of the run that never left',
    async (folder) => {
      const [name = ''] = folder.split('-');
      const one = WAY_OUT_CASES.find((candidate) => candidate.name === name);
      if (!one) return expect.unreachable();
      const state = readFolder(join(back, folder, 'checkpoint'));
      const losses = expectedLosses(name);
      const begun = await beginCase(one);
      begun.trainer.dispose();
      const { trainer } = await continued(begun, state);
      const expected = losses.slice(220);
      const further = await takeSteps(trainer, expected.length);
      trainer.dispose();
      const errors = further.map((loss, i) => Math.abs(loss / (expected[i] ?? NaN) - 1));
      const [first = NaN] = errors;
      const largest = Math.max(...errors);
      console.log(
        `${folder}: ${further.length} steps after the import within ${largest.toExponential(1)}, ` +
          `the first within ${first.toExponential(1)}`,
      );
      expect(state.step).toBe(50 + 220);
      expect(largest).toBeLessThan(0.01);
    },
    60_000,
  );
});
