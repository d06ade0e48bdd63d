/** A trainer on a real backend: resuming, accumulation, memory, and what it does at the same time. */
import { describe, expect, it } from 'vitest';
import { gpuMemory, setProgramMode, tensorCount } from '../backend/index.ts';
import { webgpu } from '../backend/state.ts';
import { readCheckpoint, writeCheckpoint } from '../checkpoint/index.ts';
import { defaultConfig, resolveModel, type RunConfig } from '../config/index.ts';
import { bigramLoss, loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../data/index.ts';
import { pretrain } from '../objectives/index.ts';
import { startOnce } from '../testing/start_once.ts';
import {
  breathe,
  Control,
  type LoopHooks,
  MetricBuffer,
  Trainer,
  trainLoop,
  type TrainerState,
} from './index.ts';

type Change = (config: RunConfig) => void;

/** The names corpus with a tiny model. */
async function namesRun(change: Change = () => undefined) {
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
  const texts = makeSplit(await loadCorpus(config.data), config.data);
  const tokenizer = await makeTokenizer(config.tokenizer, texts);
  const split = makeTokenSplit(texts, tokenizer);
  return { config, split, tokenizer, vocab_size: tokenizer.vocab_size };
}

async function createTrainer(change?: Change, from: TrainerState | null = null): Promise<Trainer> {
  const { config, split, vocab_size } = await namesRun(change);
  return Trainer.create({ config, objective: pretrain, split, vocab_size, from });
}

/** Losses of some steps and the state after them. */
async function train(steps: number, change: Change, from: TrainerState | null = null) {
  const trainer = await createTrainer(change, from);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    await trainer.takeStep();
    for (const result of await trainer.drain()) losses.push(result.loss);
  }
  const state = await trainer.state();
  trainer.dispose();
  return { losses, state };
}

function withDropout(config: RunConfig): void {
  config.model.dropout = 0.2;
}

/** The state as a checkpoint of this configuration keeps it. */
async function throughCheckpoint(state: TrainerState, change: Change): Promise<TrainerState> {
  const { config, tokenizer, vocab_size } = await namesRun(change);
  const model = resolveModel(config.model, vocab_size);
  return readCheckpoint(
    writeCheckpoint({ ...state, config, model, elapsed_seconds: 0, tokenizer }),
  );
}

function expectSameTensors(
  actual: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): void {
  for (const [name, values] of expected) expect(actual.get(name), name).toEqual(values);
}

/** Runs the product's loop without samples; returns the logged values of each metric, by step. */
async function runLoop(trainer: Trainer, phase: LoopHooks['phase'] = () => undefined) {
  const logged = new Map<string, Map<number, number>>();
  const reason = await trainLoop({
    trainer,
    control: new Control(),
    buffer: new MetricBuffer(),
    seconds: 0,
    best_val_loss: null,
    hooks: {
      phase,
      sample: async () => ({}),
      save: async () => undefined,
      measure: () => ({}),
      slept: () => undefined,
      metrics: (buffer) => {
        const { step, ...columns } = buffer.flush();
        for (const [name, column] of Object.entries(columns)) {
          const values = logged.get(name) ?? new Map<number, number>();
          logged.set(name, values);
          column.forEach((value, row) => {
            if (!Number.isNaN(value)) values.set(step[row] ?? NaN, value);
          });
        }
      },
    },
  });
  return { reason, logged };
}

describe.each(['processor', 'webgpu'] as const)('a trainer on %s', (backend) => {
  it('continues from a saved state as if it had never stopped, with dropout', async () => {
    await startOnce(backend);
    const whole = await train(6, withDropout);
    const first = await train(3, withDropout);
    const rest = await train(3, withDropout, first.state);
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expect(rest.state.step).toBe(6);
    expectSameTensors(rest.state.parameters, whole.state.parameters);
  });

  it('takes the same steps over a batch of 8 and two accumulated batches of 4', async () => {
    await startOnce(backend);
    const whole = await train(5, withDropout);
    const accumulated = await train(5, (config) => {
      withDropout(config);
      config.training.batch_size = 4;
      config.training.gradient_accumulation_steps = 2;
    });
    expect(accumulated.losses).toHaveLength(5);
    whole.losses.forEach((loss, i) => {
      const difference = Math.abs((accumulated.losses[i] ?? NaN) - loss);
      expect(difference / loss).toBeLessThan(1e-5);
    });
  });
});

describe('a trainer with Muon on the processor', () => {
  function byMuon(config: RunConfig): void {
    withDropout(config);
    Object.assign(config.training, {
      optimizer: 'muon',
      batch_size: 4,
      gradient_accumulation_steps: 2,
      activation_checkpointing: true,
    });
  }

  it('continues from a checkpoint as if it had never stopped, to the bit', async () => {
    await startOnce('processor');
    const whole = await train(6, byMuon);
    const first = await train(3, byMuon);
    const rest = await train(3, byMuon, await throughCheckpoint(first.state, byMuon));
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expectSameTensors(rest.state.parameters, whole.state.parameters);
    expectSameTensors(rest.state.optimizer, whole.state.optimizer);
  });
});

describe('a trainer in mixed precision', () => {
  function inFloat16(config: RunConfig): void {
    withDropout(config);
    config.training.mixed_precision = 'fp16';
  }

  /** The state after one step, as if an update had been skipped and the scale were about to grow. */
  async function scaledStart(): Promise<TrainerState> {
    const { state } = await train(1, inFloat16);
    return { ...state, loss_scale: { scale: 2 ** 9, clean_steps: 1996, skipped_updates: 1 } };
  }

  it('continues from a checkpoint as if it had never stopped, with its loss scale', async () => {
    await startOnce('webgpu');
    const start = await scaledStart();
    const whole = await train(6, inFloat16, start);
    const first = await train(3, inFloat16, start);
    const rest = await train(3, inFloat16, await throughCheckpoint(first.state, inFloat16));
    const scale = { scale: 2 ** 9, clean_steps: 1999, skipped_updates: 1 };
    expect(first.state.loss_scale).toEqual(scale);
    expect(rest.state.loss_scale).toEqual({ scale: 2 ** 10, clean_steps: 2, skipped_updates: 1 });
    expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
    expectSameTensors(rest.state.parameters, whole.state.parameters);
    expectSameTensors(rest.state.optimizer, whole.state.optimizer);
    // Without the loss scale it is another run: the scale starts at its largest value, and Adam
    // counts the skipped step.
    const forgetful = await train(3, inFloat16, { ...first.state, loss_scale: null });
    expect(forgetful.losses).not.toEqual(rest.losses);
    expect(forgetful.state.loss_scale?.scale).toBe(2 ** 14);
  });

  it('keeps its loss scale through single precision, where skipped updates do not count either', async () => {
    await startOnce('webgpu');
    const { state } = await train(3, inFloat16, await scaledStart());
    const single = await train(3, withDropout, await throughCheckpoint(state, inFloat16));
    const counting = await train(3, withDropout, { ...state, loss_scale: null });
    expect(single.state.loss_scale).toEqual(state.loss_scale);
    expect(single.losses).not.toEqual(counting.losses);
  });
});

describe('a trainer on WebGPU', () => {
  it('has the same losses replayed and op by op, bit for bit', async () => {
    await startOnce('webgpu');
    const replayed = await train(4, withDropout);
    setProgramMode('op_by_op');
    try {
      const opByOp = await train(4, withDropout);
      expect(opByOp.losses).toEqual(replayed.losses);
    } finally {
      setProgramMode('replay');
    }
  });

  it('holds its memory over 75 steps, evaluations, samples, saves and a second trainer', async () => {
    await startOnce('webgpu');
    const trainer = await createTrainer();
    const greedy = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, sample_seed: 1 };
    const memoryAfter = async (steps: number) => {
      for (let step = 0; step < steps; step++) {
        await trainer.takeStep();
        if (trainer.mustDrain) await trainer.drain();
      }
      await trainer.drain();
      await trainer.evaluate(breathe);
      const generator = await trainer.generation();
      let tokens = 0;
      for await (const _ of generator.generate([1], { ...greedy, max_new_tokens: 12 })) tokens++;
      expect(tokens).toBe(12);
      await trainer.state();
      return { bytes: gpuMemory().allocated, tensors: tensorCount() };
    };
    const before = await memoryAfter(5);
    expect(await memoryAfter(70)).toEqual(before);
    const second = await createTrainer();
    await second.takeStep();
    await second.drain();
    second.dispose();
    expect(await memoryAfter(5)).toEqual(before);
    trainer.dispose();
  });

  it('has at most 32 steps and 250 ms of them in flight', async () => {
    await startOnce('webgpu');
    const trainer = await createTrainer();
    /** Steps that may be submitted before results must be taken, if one takes this long. */
    const limitAt = (step_ms: number): number => {
      trainer.step_ms = step_ms;
      let steps = 0;
      while (!trainer.mustDrain) {
        void trainer.takeStep();
        steps++;
      }
      return steps;
    };
    for (const [step_ms, limit] of [
      [1, 32],
      [60, 5],
      [250, 1],
      [4000, 1],
    ] as const) {
      expect(limitAt(step_ms), `${step_ms} ms`).toBe(limit);
      expect(await trainer.drain()).toHaveLength(limit);
      expect(trainer.step_ms).toBeGreaterThan(0);
    }
    trainer.dispose();
  });
});

/**
 * Records what the device is asked to do, in order: `batch N` made, `submit N`, `read`, `results`.
 * Results of a read are held back until another step is submitted, or until `mustRelease` says that
 * the trainer may wait for them: a trainer that waits earlier never ends.
 */
function recordEvents(mustRelease: () => boolean) {
  const events: string[] = [];
  const { device } = webgpu();
  const { queue } = device;
  const submit = queue.submit.bind(queue);
  const createBuffer = device.createBuffer.bind(device);
  const submits = (): number => events.filter((event) => event.startsWith('submit')).length;
  /** The step that is being submitted; a step that is submitted in parts is recorded once. */
  let step: number | null = null;
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    if (descriptor.label !== 'ring read back') return buffer;
    const mapAsync = buffer.mapAsync.bind(buffer);
    buffer.mapAsync = async (mode) => {
      events.push('read');
      const before = submits();
      await mapAsync(mode);
      while (submits() === before && !mustRelease()) await breathe();
      events.push('results');
      return undefined;
    };
    return buffer;
  };
  queue.submit = (buffers) => {
    submit(buffers);
    const event = `submit ${step ?? ''}`;
    if (step !== null && events.at(-1) !== event) events.push(event);
    return undefined;
  };
  return {
    events,
    during(current: number, action: () => void): void {
      step = current;
      action();
      step = null;
    },
    restore(): void {
      Object.assign(device, { createBuffer });
      Object.assign(queue, { submit });
    },
  };
}

/** Steps submitted between each read and its results. */
function submitsBehindReads(events: readonly string[]): number[] {
  return events.flatMap((event, i) => {
    if (event !== 'read') return [];
    const during = events.slice(i, events.indexOf('results', i));
    return [during.filter((one) => one.startsWith('submit')).length];
  });
}

describe('device and worker at the same time', () => {
  const STEPS = 60;

  it('make batches and submit steps while earlier results are being read', async () => {
    await startOnce('webgpu');
    const { config, split, vocab_size } = await namesRun(({ training, sampling, runtime }) => {
      Object.assign(training, { max_iters: STEPS, eval_interval: 1000 });
      sampling.sample_interval = 0;
      // A save waits for all results.
      runtime.autosave_interval = 0;
    });
    let draining = false;
    const recorder = recordEvents(() => draining || trainer.mustDrain);
    const { events } = recorder;
    let batches = 0;
    const recordedSplit = {
      ...split,
      get train() {
        // Read several times while one batch is made.
        if (events.at(-1) !== `batch ${batches}`) events.push(`batch ${++batches}`);
        return split.train;
      },
    };
    const trainer = await Trainer.create({
      config,
      objective: pretrain,
      split: recordedSplit,
      vocab_size,
    });
    const takeStep = trainer.takeStep.bind(trainer);
    trainer.takeStep = () => {
      // Fast steps, however busy this machine is: then up to 32 may be in flight.
      trainer.step_ms = 1;
      recorder.during(trainer.step + 1, () => void takeStep());
    };
    const drain = trainer.drain.bind(trainer);
    trainer.drain = async () => {
      draining = true;
      const results = await drain();
      draining = false;
      return results;
    };
    const { logged } = await runLoop(trainer).finally(() => recorder.restore());
    trainer.dispose();

    const steps = Array.from({ length: STEPS }, (_, i) => i + 1);
    expect(events.filter((event) => event.startsWith('submit'))).toEqual(
      steps.map((step) => `submit ${step}`),
    );
    expect([...(logged.get('train/loss')?.keys() ?? [])]).toEqual(steps);
    const behind = submitsBehindReads(events);
    console.log(`Steps submitted while results were being read: ${behind.join(', ')}.`);
    // The loop waits for the first loss and for the last ones, and not in between.
    expect([behind[0], behind.at(-1)]).toEqual([0, 0]);
    expect(behind.length).toBeGreaterThan(2);
    expect(Math.max(...behind)).toBeGreaterThan(0);
    for (const step of steps.slice(0, -1)) {
      const submitted = events.indexOf(`submit ${step}`);
      expect(events[submitted + 1], `right after step ${step}`).toBe(`batch ${step + 1}`);
    }
  });
});

describe('the loop on the processor', () => {
  const STEPS = 150;
  /** Nats per token by which the model must be better. */
  const MARGIN = 0.1;

  it('learns names better than a bigram model does', async () => {
    await startOnce('processor');
    const trainer = await createTrainer(({ model, training, sampling }) => {
      Object.assign(model, { n_head: 4, n_embd: 32 });
      Object.assign(training, {
        optimizer: 'muon',
        batch_size: 64,
        learning_rate: 3e-2,
        min_lr: 1.5e-3,
        warmup_iters: 20,
        max_iters: STEPS,
        eval_interval: 50,
        eval_iters: 8,
      });
      sampling.sample_interval = 0;
    });
    const phases = new Set<string>();
    const { reason, logged } = await runLoop(trainer, (phase) => phases.add(phase));
    const { split, vocab_size } = trainer.options;
    trainer.dispose();
    const losses = [...(logged.get('val/loss')?.values() ?? [])];
    const bigram = bigramLoss(split, vocab_size) ?? NaN;
    console.log(
      `names: validation loss ${losses.map((loss) => loss.toFixed(3)).join(' -> ')}, ` +
        `bigram ${bigram.toFixed(3)}, uniform ${Math.log(vocab_size).toFixed(3)}`,
    );
    expect(reason).toBe('max_iters');
    expect(phases).toEqual(new Set(['evaluating', 'training', 'saving']));
    expect(logged.get('train/loss')?.size).toBe(STEPS);
    expect(losses.at(-1)).toBeLessThan(bigram - MARGIN);
  });
});
