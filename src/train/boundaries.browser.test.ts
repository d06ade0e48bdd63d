/** A trainer whose programs wait for collectives in the forward and in the backward pass. */
import { clone } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  boundary,
  type Collective,
  hasOwnKernels,
  readback,
  startBackend,
  type Values,
  writeTensor,
} from '../backend/index.ts';
import { defaultConfig } from '../config/index.ts';
import { defineObjective, type Objective, pretrain } from '../objectives/index.ts';
import type { OpDefinition } from '../ops/index.ts';
import { required } from '../ops/gradient.ts';
import { breathe, Trainer } from './index.ts';
import { startTested } from '../testing/start_once.ts';

const VOCAB = 12;
const STEPS = 4;
const MICRO_BATCHES = 2;

const tokens = Int32Array.from({ length: 400 }, (_, i) => (i * i + 3 * i) % VOCAB);
const split = { train: tokens, val: tokens, bytes_per_token: new Uint16Array(VOCAB).fill(1) };

/** An all-reduce with no other device: takes the values to JavaScript and back. */
function identity(name: string) {
  const collective = {
    name,
    runs: 0,
    async run(tensor: Parameters<Collective['run']>[0]): Promise<void> {
      const [values = new Float32Array()] = await readback([tensor]);
      writeTensor(tensor, values);
      collective.runs++;
    },
    runSync(values: Values): Values {
      collective.runs++;
      return values;
    },
  };
  return collective;
}

/**
 * Returns its input; forward and backward each wait for a collective. Not registered by `defineOp`,
 * so that no check of all operations meets it.
 */
function cutOp(forward: Collective, backward: Collective): OpDefinition<'x', object, 'y', 'x'> {
  return {
    name: 'cut',
    inputs: ['x'],
    outputs: ['y'],
    oracle: ({ x }) => ({ y: x }),
    reference: ({ x }) => ({ y: boundary(clone(x), forward) }),
    kernel: null,
    processor: ({ x }) => ({ y: boundary(clone(x), forward) }),
    gradient: {
      saves: { inputs: [], outputs: [] },
      from: ['y'],
      to: { x: ({ dy }) => boundary(required(dy.y), backward) },
    },
    bench: () => [],
    cases: [],
  };
}

/** Pretraining whose last hidden states pass through `cutOp`. */
function cutObjective(forward: Collective, backward: Collective): Objective {
  const op = cutOp(forward, backward);
  return defineObjective({
    ...pretrain,
    loss: (context, setting) => {
      const { tape } = context.forward;
      const { y } = tape.apply(op, { x: context.hidden }, {});
      tape.release(context.hidden);
      return pretrain.loss({ ...context, hidden: y }, setting);
    },
  });
}

function createTrainer(objective: Objective): Promise<Trainer> {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8, dropout: 0.1 });
  Object.assign(config.training, {
    batch_size: 4,
    gradient_accumulation_steps: MICRO_BATCHES,
    eval_iters: 1,
  });
  return Trainer.create({ config, objective, split, vocab_size: VOCAB });
}

/** Losses and norms of some steps, an evaluation and the weights after them. */
async function train(objective: Objective) {
  const trainer = await createTrainer(objective);
  const losses: number[] = [];
  const waits: boolean[] = [];
  for (let step = 0; step < STEPS; step++) {
    const taken = trainer.takeStep();
    waits.push(taken instanceof Promise);
    await taken;
    for (const { loss, grad_norm } of await trainer.drain()) losses.push(loss, grad_norm);
  }
  const evaluation = await trainer.evaluate(breathe);
  const { parameters } = await trainer.state();
  trainer.dispose();
  return { losses, waits, evaluation, parameters };
}

describe.each(['wasm', 'processor', 'webgpu'] as const)(
  'a trainer with boundaries on %s',
  (backend) => {
    it('has the losses and weights of one without them, bit for bit', async () => {
      await startTested(backend);
      const whole = await train(pretrain);
      const forward = identity('after the blocks');
      const backward = identity('in the backward pass');
      const cut = await train(cutObjective(forward, backward));
      expect(whole.losses).toHaveLength(2 * STEPS);
      expect(new Set(whole.losses).size).toBe(2 * STEPS);
      expect(cut.losses).toEqual(whole.losses);
      expect(cut.evaluation).toEqual(whole.evaluation);
      expect([...cut.parameters]).toEqual([...whole.parameters]);
      // The evaluation has one batch and no backward pass.
      expect(forward.runs).toBe(STEPS * MICRO_BATCHES + 1);
      expect(backward.runs).toBe(STEPS * MICRO_BATCHES);
      // Only replayed programs can wait; a step without boundaries never does.
      expect(whole.waits).toEqual(new Array(STEPS).fill(false));
      expect(cut.waits).toEqual(new Array(STEPS).fill(hasOwnKernels()));
    });
  },
);

describe('a step whose collective fails', () => {
  it('rejects, is not counted and leaves no result', async () => {
    await startBackend('webgpu');
    const broken = (): never => {
      throw new Error('the peer is gone');
    };
    const backward = { name: 'broken', run: broken };
    const trainer = await createTrainer(cutObjective(identity('after the blocks'), backward));
    await expect(trainer.takeStep()).rejects.toThrow('the peer is gone');
    expect(trainer.step).toBe(0);
    expect(await trainer.drain()).toEqual([]);
    trainer.dispose();
  });
});
