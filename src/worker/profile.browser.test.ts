/** Measuring a step leaves the run as it was, bit for bit. */
import { describe, expect, it } from 'vitest';
import { deviceMemory } from '../backend/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { Trainer, type TrainerState } from '../train/index.ts';
import { profileStep } from './profile.ts';
import { pretrain } from '../objectives/index.ts';
import { startOnce } from '../testing/start_once.ts';

const VOCAB = 20;
const tokens = Int32Array.from({ length: 400 }, (_, i) => (i * i * 7 + (i >> 2)) % VOCAB);

async function run(
  change: (c: RunConfig) => void,
  between: (trainer: Trainer) => Promise<void>,
): Promise<{ losses: number[]; state: TrainerState }> {
  const config = defaultConfig();
  const losses: number[] = [];
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8, dropout: 0.1 });
  Object.assign(config.training, { batch_size: 4, warmup_iters: 0 });
  change(config);
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token: new Uint16Array(VOCAB).fill(1) },
    vocab_size: VOCAB,
  });
  const steps = async (n: number): Promise<void> => {
    for (let i = 0; i < n; i++) {
      await trainer.takeStep();
      losses.push(...(await trainer.drain()).map((r) => r.loss));
    }
  };
  await steps(3);
  // A step that is still in flight when the measurement begins.
  await trainer.takeStep();
  await between(trainer);
  losses.push(...(await trainer.drain()).map((r) => r.loss));
  await steps(3);
  const state = await trainer.state();
  trainer.dispose();
  return { losses, state };
}

describe.each([
  ['AdamW', 1, () => undefined],
  [
    'SGD, three micro-steps a step',
    3,
    (c: RunConfig) => {
      Object.assign(c.training, { optimizer: 'sgd', gradient_accumulation_steps: 3 });
    },
  ],
  [
    'Muon, Llama',
    1,
    (c: RunConfig) => {
      Object.assign(c.model, { layout: 'llama', activation_function: 'silu' });
      c.training.optimizer = 'muon';
    },
  ],
] satisfies [string, number, (c: RunConfig) => void][])(
  'a profile of %s',
  (_name, accumulation, change) => {
    it.each(['webgpu', 'processor'] as const)(
      'says where the time goes on %s, and leaves the run unchanged',
      async (backend) => {
        await startOnce(backend);
        const plain = await run(change, async () => undefined);
        const seen: Awaited<ReturnType<typeof profileStep>>[] = [];
        let bytes = 0;
        const measured = await run(change, async (trainer) => {
          bytes = deviceMemory()?.allocated ?? 0;
          seen.push(await profileStep(trainer, accumulation));
          expect(deviceMemory()?.allocated).toBe(bytes);
          expect(seen[0]?.kinds?.reduce((n, k) => n + k.dispatches, 0)).toBe(
            trainer.dispatchesPerStep,
          );
        });
        expect(measured.losses).toEqual(plain.losses);
        expect(measured.losses.every((loss) => Number.isFinite(loss))).toBe(true);
        expect(measured.state).toEqual(plain.state);
        const [profile] = seen;
        const kinds = profile?.kinds ?? [];
        expect(kinds.length).toBeGreaterThanOrEqual(5);
        expect(kinds.map((k) => k.ms)).toEqual(kinds.map((k) => k.ms).sort((a, b) => b - a));
        expect(kinds.find((k) => k.kind === 'products')?.flops).toBeGreaterThan(0);
        expect(profile?.step_ms).toBeGreaterThan(0);
        expect(profile?.peak?.flops_per_second).toBeGreaterThan(1e6);
      },
    );
  },
);

describe('a profile elsewhere', () => {
  it('gives the time of a step, and leaves the run unchanged', async () => {
    await startOnce('wasm');
    const none = (): void => undefined;
    const plain = await run(none, async () => undefined);
    const measured = await run(none, async (trainer) => {
      expect(await profileStep(trainer, 1)).toMatchObject({
        kinds: null,
        peak: null,
        kernels: [],
        step: 4,
        step_ms: trainer.step_ms,
      });
    });
    expect(measured.losses).toEqual(plain.losses);
  });
});
