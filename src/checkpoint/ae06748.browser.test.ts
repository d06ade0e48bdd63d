/**
 * Runs that Terrarium saved at commit ae06748 continue with the losses that it computed there
 * (fixtures/README.md).
 */
import * as v from 'valibot';
import { expect, it } from 'vitest';
import { importTokenizer, loadCorpus, makeSplit, makeTokenSplit } from '../data/index.ts';
import { pretrain } from '../objectives/index.ts';
import { startTested } from '../testing/start_once.ts';
import { Trainer } from '../train/index.ts';
import { readCheckpoint } from './checkpoint.ts';
import type { ReadState } from './checkpoint_state.ts';
import { MemoryFileSystem } from './store/file_system.ts';
import { MemoryLocks } from './store/locks.ts';
import { RunStore } from './store/run_store.ts';
import { unzipFolder } from './unzip.ts';

const ROOT = './fixtures/ae06748/';
const RUN = 'b7d1c0de-0000-4000-8000-00000000ae06';

const urls = import.meta.glob<string>('./fixtures/ae06748/*/**/*.{zip,json,0,1,bin,safetensors}', {
  query: '?url',
  import: 'default',
  eager: true,
});

const Expected = v.object({
  browser: v.string(),
  stored: v.array(v.number()),
  export: v.array(v.number()),
});

async function readFixture(path: string): Promise<Uint8Array> {
  const response = await fetch(urls[ROOT + path] ?? '');
  return new Uint8Array(await response.arrayBuffer());
}

async function storedRun(): Promise<{ state: ReadState; text: Uint8Array }> {
  const fs = new MemoryFileSystem();
  const folder = `${ROOT}stored/`;
  for (const path of Object.keys(urls).filter((key) => key.startsWith(folder))) {
    fs.files.set(path.slice(folder.length), await readFixture(path.slice(ROOT.length)));
  }
  const run = await new RunStore(fs, new MemoryLocks(), null).open(RUN);
  const loaded = await run.load();
  const text = await run.loadText();
  if (!loaded || !text) throw new Error('The fixture has no checkpoint or no text.');
  return { state: loaded.state, text: text.bytes };
}

async function nextLosses(state: ReadState, text: Uint8Array, steps: number): Promise<number[]> {
  const { config, model } = state;
  const corpus = await loadCorpus(config.data, { text: { name: 'meetings.txt', bytes: text } });
  const tokenizer = await importTokenizer(state.tokenizer);
  const { val_fraction } = config.data;
  const split = makeSplit(corpus, { val_fraction, version: state.lineage.split_version ?? 1 });
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: makeTokenSplit(split, tokenizer),
    vocab_size: model.vocab_size,
    from: state,
  });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    await trainer.takeStep();
    losses.push(...(await trainer.drain()).map(({ loss }) => loss));
  }
  trainer.dispose();
  return losses;
}

// The losses were computed by tfjs's wasm backend, whose bits the engine on the processor does not have.
it.each(['wasm', 'processor'] as const)(
  'runs of ae06748 resume at the same losses on %s',
  async (backend) => {
    await startTested(backend);
    const json: unknown = JSON.parse(
      new TextDecoder().decode(await readFixture('expected/next_losses.json')),
    );
    const expected = v.parse(Expected, json);
    const stored = await storedRun();
    const exported = readCheckpoint(unzipFolder(await readFixture('export/exported-run.zip')));
    const losses = {
      stored: await nextLosses(stored.state, stored.text, expected.stored.length),
      export: await nextLosses(exported, stored.text, expected.export.length),
    };
    if (backend === 'wasm' && navigator.userAgent === expected.browser) {
      expect(losses).toEqual({ stored: expected.stored, export: expected.export });
      return;
    }
    console.log(`Recorded on wasm with ${expected.browser}; compared on ${backend} at rtol 1e-5.`);
    for (const name of ['stored', 'export'] as const) {
      losses[name].forEach((loss, i) => {
        const wanted = expected[name][i] ?? NaN;
        expect(Math.abs(loss - wanted) / wanted, `${name}, step ${i + 1}`).toBeLessThan(1e-5);
      });
    }
  },
);
