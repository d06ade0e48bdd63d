import { describe, expect, it } from 'vitest';
import { gpuMemory, setProgramMode, startBackend, tensorCount } from '../backend/index.ts';
import { webgpu } from '../backend/state.ts';
import type { MetricRow } from '../common/index.ts';
import { readCheckpoint, writeCheckpoint } from '../checkpoint/index.ts';
import { defaultConfig, resolveModel, type RunConfig } from '../config/index.ts';
import { bigramLoss, loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../data/index.ts';
import { breathe, Control, MetricBuffer, Trainer, trainLoop, type TrainerState } from './index.ts';
import { pretrain } from '../objectives/index.ts';

async function names(change: (c: RunConfig) => void = () => undefined) {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8 });
  Object.assign(config.training, {
    batch_size: 8,
    warmup_iters: 2,
    max_iters: 40,
    eval_interval: 20,
    eval_iters: 2,
  });
  change(config);
  const split = makeSplit(await loadCorpus(config.data), config.data);
  const tokenizer = await makeTokenizer(config.tokenizer, split);
  const tokens = makeTokenSplit(split, tokenizer);
  return { config, tokens, tokenizer, vocab_size: tokenizer.vocab_size };
}

async function losses(
  steps: number,
  change: (c: RunConfig) => void,
  from: TrainerState | null = null,
): Promise<{ losses: number[]; state: TrainerState }> {
  const { config, tokens, vocab_size } = await names(change);
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: tokens,
    vocab_size,
    from,
  });
  const result: number[] = [];
  for (let i = 0; i < steps; i++) {
    await trainer.takeStep();
    result.push(...(await trainer.drain()).map((r) => r.loss));
  }
  const state = await trainer.state();
  trainer.dispose();
  return { losses: result, state };
}
const dropout = (c: RunConfig) => {
  c.model.dropout = 0.2;
};

describe.each(['wasm', 'webgpu'] as const)('a trainer on %s', (backend) => {
  it('goes on from a saved state as if it had never stopped, dropout on', async () => {
    await startBackend(backend);
    const whole = await losses(6, dropout);
    const first = await losses(3, dropout);
    const rest = await losses(3, dropout, first.state);
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expect(rest.state.step).toBe(6);
    for (const [name, values] of whole.state.parameters)
      expect(rest.state.parameters.get(name), name).toEqual(values);
  });

  it('takes the same steps with batch 8 and with 4x2 accumulated, dropout on', async () => {
    await startBackend(backend);
    const whole = await losses(5, dropout);
    const parts = await losses(5, (c) => {
      dropout(c);
      c.training.batch_size = 4;
      c.training.gradient_accumulation_steps = 2;
    });
    whole.losses.forEach((loss, i) =>
      expect(Math.abs((parts.losses[i] ?? NaN) - loss) / loss).toBeLessThan(1e-5),
    );
  });
});

describe('a trainer on WebGPU', () => {
  it('goes on from a checkpoint in mixed precision as if it had never stopped, with the loss scale that it had', async () => {
    await startBackend('webgpu');
    const half = (c: RunConfig): void => {
      dropout(c);
      c.training.mixed_precision = 'fp16';
    };
    const { config, tokenizer, vocab_size } = await names(half);
    const model = resolveModel(config.model, vocab_size);
    const reloaded = (state: TrainerState): TrainerState =>
      readCheckpoint(writeCheckpoint({ ...state, config, model, elapsed_seconds: 0, tokenizer }));
    // As after a step that overflowed, and about to grow in the second half.
    const start = {
      ...(await losses(1, half)).state,
      loss_scale: { scale: 2 ** 9, clean_steps: 1996, skipped_updates: 1 },
    };
    const whole = await losses(6, half, start);
    const first = await losses(3, half, start);
    const rest = await losses(3, half, reloaded(first.state));
    expect(first.state.loss_scale).toEqual({
      scale: 2 ** 9,
      clean_steps: 1999,
      skipped_updates: 1,
    });
    expect(rest.state.loss_scale).toEqual({ scale: 2 ** 10, clean_steps: 2, skipped_updates: 1 });
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    for (const [name, values] of whole.state.parameters)
      expect(rest.state.parameters.get(name), name).toEqual(values);
    for (const [name, values] of whole.state.optimizer)
      expect(rest.state.optimizer.get(name), name).toEqual(values);
    // Without it, another run: the largest scale, and Adam counts the step that was left out.
    const forgetful = await losses(3, half, { ...first.state, loss_scale: null });
    expect(forgetful.losses).not.toEqual(rest.losses);
    expect(forgetful.state.loss_scale?.scale).toBe(2 ** 14);
    // Single precision keeps it for a device that can use it, and does not count that step either.
    const single = await losses(3, dropout, reloaded(first.state));
    const counting = await losses(3, dropout, { ...first.state, loss_scale: null });
    expect(single.state.loss_scale).toEqual(first.state.loss_scale);
    expect(single.losses).not.toEqual(counting.losses);
  });

  it('replays what it does op by op, bit for bit', async () => {
    await startBackend('webgpu');
    const replayed = await losses(4, dropout);
    setProgramMode('op_by_op');
    try {
      expect((await losses(4, dropout)).losses).toEqual(replayed.losses);
    } finally {
      setProgramMode('replay');
    }
  });

  it('holds its memory over 200 steps with evaluation, samples and a checkpoint, and over a second tracing', async () => {
    await startBackend('webgpu');
    const { config, tokens, vocab_size } = await names();
    const trainer = await Trainer.create({
      config,
      objective: pretrain,
      split: tokens,
      vocab_size,
    });
    const round = async (steps: number) => {
      for (let i = 0; i < steps; i++) {
        await trainer.takeStep();
        if (trainer.mustDrain) await trainer.drain();
      }
      await trainer.drain();
      await trainer.evaluate(breathe);
      for await (const _ of (await trainer.generation()).generate([1], {
        temperature: 1,
        top_k: 0,
        top_p: 1,
        min_p: 0,
        sample_seed: 1,
        max_new_tokens: 12,
      })) {
        /* the tokens do not matter here */
      }
      await trainer.state();
      return { bytes: gpuMemory().allocated, tensors: tensorCount() };
    };
    const before = await round(5);
    const after = await round(195);
    expect(after).toEqual(before);
    const again = await Trainer.create({ config, objective: pretrain, split: tokens, vocab_size });
    await again.takeStep();
    await again.drain();
    again.dispose();
    expect(await round(5)).toEqual(before);
    trainer.dispose();
  });
});

describe('steps in flight', () => {
  it('are bounded by number and by time', async () => {
    await startBackend('webgpu');
    const { config, tokens, vocab_size } = await names();
    const trainer = await Trainer.create({
      config,
      objective: pretrain,
      split: tokens,
      vocab_size,
    });
    const most = (): number => {
      let n = 0;
      while (!trainer.mustDrain) {
        void trainer.takeStep();
        n++;
      }
      return n;
    };
    trainer.step_ms = 1;
    expect(most()).toBe(32);
    await trainer.drain();
    expect(trainer.step_ms).toBeGreaterThan(0);
    for (const [ms, steps] of [
      [60, 5],
      [250, 1],
      [4000, 1],
    ] as const) {
      trainer.step_ms = ms;
      expect(most()).toBe(steps);
      await trainer.drain();
    }
    trainer.dispose();
  });
});

describe('what the device and the worker do at the same time', () => {
  it('later steps are submitted while results are read, and a batch is made while the step before it runs', async () => {
    await startBackend('webgpu');
    const { config, tokens, vocab_size } = await names((c) => {
      Object.assign(c.training, { max_iters: 60, eval_interval: 1000 });
      c.sampling.sample_interval = 0;
    });
    const events: string[] = [];
    let made = 0;
    let submitted = 0;
    const split = {
      ...tokens,
      get train() {
        if (events.at(-1) !== `batch ${made}`) events.push(`batch ${++made}`);
        return tokens.train;
      },
    };
    const trainer = await Trainer.create({ config, objective: pretrain, split, vocab_size });
    const steps: number[] = [];
    const take = trainer.takeStep.bind(trainer);
    const { device } = webgpu();
    const { queue } = device;
    const submit = queue.submit.bind(queue);
    const createBuffer = device.createBuffer.bind(device);
    let taking = false;
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      const mapAsync = buffer.mapAsync.bind(buffer);
      if (descriptor.label === 'ring read back')
        buffer.mapAsync = async (mode) => {
          events.push('read');
          await mapAsync(mode);
          events.push('results');
          return undefined;
        };
      return buffer;
    };
    queue.submit = (buffers) => {
      submit(buffers);
      if (taking) events.push(`submit ${++submitted}`);
      return undefined;
    };
    trainer.takeStep = () => {
      taking = true;
      take();
      taking = false;
      const n = submitted;
      void queue.onSubmittedWorkDone().then(() => events.push(`done ${n}`));
    };
    try {
      await trainLoop({
        trainer,
        control: new Control(),
        buffer: new MetricBuffer(),
        seconds: 0,
        best_val_loss: null,
        hooks: {
          phase: () => undefined,
          sample: async () => ({}),
          save: async () => undefined,
          measure: () => ({}),
          slept: () => undefined,
          metrics: (b) => {
            const c = b.flush();
            c.step.forEach((step, i) => {
              if (!Number.isNaN(c['train/loss']?.[i] ?? NaN)) steps.push(step);
            });
          },
        },
      });
    } finally {
      Object.assign(device, { createBuffer });
      Object.assign(queue, { submit });
    }
    const at = (event: string): number => events.indexOf(event);
    const behind = events.flatMap((event, i) =>
      event === 'read'
        ? [
            events.slice(i, events.indexOf('results', i)).filter((e) => e.startsWith('submit'))
              .length,
          ]
        : [],
    );
    console.log(
      `Steps submitted while results were read: ${behind.join(', ')}; ${trainer.step_ms.toFixed(1)} ms a step.`,
    );
    expect(submitted).toBe(60);
    expect(steps).toEqual(Array.from({ length: 60 }, (_v, i) => i + 1));
    // The first loss is waited for, and the last ones.
    expect([behind[0], behind.at(-1)]).toEqual([0, 0]);
    expect(Math.max(...behind)).toBeGreaterThan(0);
    for (let n = 1; n < 60; n++) {
      expect(
        at(`batch ${n + 1}`),
        `batch ${n + 1}, made after step ${n} was submitted`,
      ).toBeGreaterThan(at(`submit ${n}`));
      expect(at(`batch ${n + 1}`), `batch ${n + 1}, ready before step ${n} was done`).toBeLessThan(
        at(`done ${n}`),
      );
    }
    trainer.dispose();
  });
});

describe('the loop on wasm', () => {
  it('learns names beyond pairs of letters within 300 steps', async () => {
    await startBackend('wasm');
    const { config, tokens, vocab_size } = await names((c) => {
      Object.assign(c.model, { n_layer: 2, n_head: 4, n_embd: 48, block_size: 16 });
      Object.assign(c.training, {
        batch_size: 32,
        learning_rate: 5e-3,
        min_lr: 5e-4,
        warmup_iters: 20,
        max_iters: 300,
        eval_interval: 100,
        eval_iters: 8,
      });
      c.sampling.sample_interval = 0;
    });
    const trainer = await Trainer.create({
      config,
      objective: pretrain,
      split: tokens,
      vocab_size,
    });
    const rows: MetricRow[] = [];
    const phases = new Set<string>();
    const reason = await trainLoop({
      trainer,
      control: new Control(),
      buffer: new MetricBuffer(),
      seconds: 0,
      best_val_loss: null,
      hooks: {
        phase: (p) => phases.add(p),
        sample: async () => ({}),
        save: async () => undefined,
        measure: () => ({}),
        slept: () => undefined,
        metrics: (b) => {
          const c = b.flush();
          c.step.forEach((step, i) =>
            rows.push({ step, 'train/loss': c['train/loss']?.[i], 'val/loss': c['val/loss']?.[i] }),
          );
        },
      },
    });
    const val = rows
      .map((r) => r['val/loss'])
      .filter((v): v is number => v !== undefined && !Number.isNaN(v));
    const bigram = bigramLoss(tokens, vocab_size) ?? NaN;
    console.log(
      `names: validation loss ${val.map((v) => v.toFixed(3)).join(' -> ')}, bigram ${bigram.toFixed(3)}, uniform ${Math.log(vocab_size).toFixed(3)}`,
    );
    expect(reason).toBe('max_iters');
    expect(phases).toEqual(new Set(['evaluating', 'training', 'saving']));
    expect(
      rows.filter((r) => r['train/loss'] !== undefined && !Number.isNaN(r['train/loss'])).length,
    ).toBe(300);
    expect(val.at(-1)).toBeLessThan(bigram);
    trainer.dispose();
  });
});
