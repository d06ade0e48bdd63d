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
import { useBuildsFromFiles } from '../../testing/node_engine.ts';
import { beginCase, continued, takeSteps, WAY_OUT_CASES } from '../../testing/way_out.ts';
import { broughtFiles } from '../brought.ts';
import { readCheckpoint } from '../checkpoint.ts';
import { isRecord, parseRecord } from '../json.ts';
import { splitExport } from '../run_extras.ts';
import { forward } from '../testing_forward.ts';

const root = process.env.WAY_OUT_DIR;
const back = root === undefined ? '' : join(root, 'back');
const folders = existsSync(back) ? readdirSync(back).sort() : [];

function readFolder(path: string) {
  const names = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  const brought = files.map(({ parentPath, name }) => {
    const whole = join(parentPath, name);
    return { path: whole.slice(path.length + 1), bytes: new Uint8Array(readFileSync(whole)) };
  });
  return readCheckpoint(splitExport(broughtFiles(brought)).checkpoint);
}

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
    const state = readFolder(join(back, folder, 'checkpoint'));
    const { model } = state;
    const logits = new Float32Array(
      new Uint8Array(readFileSync(join(back, folder, 'logits.f32'))).buffer,
    );
    const rows = logits.length / model.vocab_size;
    const ids = Array.from({ length: rows }, (_, t) => (t * 7 + t * t) % model.vocab_size);
    const ours = forward(model, state.parameters, ids).flatMap((row) => [...row]);
    const differences = ours.map((value, i) => Math.abs(value - (logits[i] ?? NaN)));
    const largest = Math.max(...differences);
    console.log(`${folder}: logits differ by at most ${largest.toExponential(1)}`);
    expect(largest).toBeLessThan(1e-4);
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
