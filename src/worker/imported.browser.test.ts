/**
 * Folders that transformers saved, computed by the model on a backend: the logits are
 * transformers'.
 */
import { describe, expect, it } from 'vitest';
import {} from '../backend/index.ts';
import { readCheckpoint } from '../checkpoint/index.ts';
import { readExpected } from '../checkpoint/testing_expected.ts';
import { defaultConfig } from '../config/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { tinyRun } from '../testing/tiny_run.ts';
import { startTested } from '../testing/start_once.ts';

const urls = import.meta.glob<string>('../checkpoint/fixtures/*/*', {
  query: '?url',
  import: 'default',
  eager: true,
});
const folders = new Map<string, string[]>();
for (const path of Object.keys(urls)) {
  const name = path.split('/').at(-2) ?? '';
  folders.set(name, [...(folders.get(name) ?? []), path]);
}

async function filesOf(paths: readonly string[]): Promise<Map<string, Uint8Array>> {
  return new Map(
    await Promise.all(
      paths.map(async (path): Promise<[string, Uint8Array]> => [
        path.split('/').at(-1) ?? '',
        new Uint8Array(await (await fetch(urls[path] ?? '')).arrayBuffer()),
      ]),
    ),
  );
}

describe.each(['wasm', 'processor', 'webgpu'] as const)('imported folders on %s', (backend) => {
  it('are there', () => expect(folders.size).toBe(11));

  it.each([...folders])('%s', async (_, paths) => {
    await startTested(backend);
    const files = await filesOf(paths);
    const { model, parameters } = readCheckpoint(files);
    const expected = readExpected(files);
    const B = expected.input_ids.length;
    const T = expected.input_ids[0]?.length ?? 0;
    const run = await tinyRun({
      model,
      training: defaultConfig().training,
      batch_size: B,
      initial: (name) => parameters.get(name) ?? new Float32Array(),
    });
    // The context of the folder may be longer than the example: the rest of each row is padding,
    // which causal attention ignores.
    const width = model.block_size;
    const ids = new Int32Array(B * width);
    const positions = Int32Array.from({ length: B * width }, (__, i) => i % width);
    expected.input_ids.forEach((row, b) => ids.set(row, b * width));
    const logits = await run.logits({
      ids,
      targets: new Int32Array(B * width),
      weights: new Float32Array(B * width),
      positions,
      row_offset: 0,
    });
    const got = new Float32Array(B * T * model.vocab_size);
    for (let b = 0; b < B; b++)
      got.set(
        logits.subarray(b * width * model.vocab_size, (b * width + T) * model.vocab_size),
        b * T * model.vocab_size,
      );
    run.dispose();
    expectClose(got, expected.logits, { atol: 1e-4, rtol: 0 }, 'logits');
  });
});
