/** Memory that the browser refuses while a run generates: the run goes on, and holds no more than before. */
import { beforeAll, expect, it } from 'vitest';
import { ProcessorMemoryFull, startBackend, tensorCount } from '../backend/index.ts';
import { processor } from '../backend/state.ts';
import { defaultConfig } from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { Trainer } from './index.ts';

type Heap = ReturnType<typeof processor>['engine']['heap'];

const VOCAB = 17;

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

function makeTrainer(): Promise<Trainer> {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8 });
  const tokens = Int32Array.from({ length: 200 }, (_, i) => (i * i) % VOCAB);
  const bytes_per_token = new Uint16Array(VOCAB).fill(1);
  return Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token },
    vocab_size: VOCAB,
  });
}

/** Refuses every allocation after the first `count`. Returns what ends that. */
function refuseAfter(heap: Heap, count: number): () => void {
  const allocate = heap.allocate.bind(heap);
  let left = count;
  heap.allocate = (bytes) => {
    if (left-- <= 0) throw new ProcessorMemoryFull(bytes, heap.use.allocated);
    return allocate(bytes);
  };
  return () => {
    heap.allocate = allocate;
  };
}

it('gives back what a generator holds whose memory is refused', async () => {
  const { heap } = processor().engine;
  const trainer = await makeTrainer();
  const held = (): object => ({ ...heap.use, peak: 0, tensors: tensorCount() });
  const before = held();
  for (let count = 0; ; count++) {
    const allow = refuseAfter(heap, count);
    const generator = await trainer.generation().catch((error: unknown) => {
      expect(error).toBeInstanceOf(ProcessorMemoryFull);
      return null;
    });
    allow();
    if (generator) {
      expect(count).toBeGreaterThan(5);
      break;
    }
    expect(held()).toEqual(before);
  }
  trainer.dispose();
});
