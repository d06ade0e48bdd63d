import { expect, test } from 'vitest';
import { type Mesh, ONE_RANK } from '../../common/index.ts';
import { defaultConfig, resolveModel } from '../../config/index.ts';
import { labProblems } from './lab_check.ts';

const { model: config, training } = defaultConfig();
const model = resolveModel({ ...config, n_layer: 6, n_head: 4, n_embd: 32 }, 48);

function messages(mesh: Partial<Mesh>, steps = 6): string[] {
  const batch = { ...training, batch_size: 8, gradient_accumulation_steps: steps };
  return labProblems({ ...ONE_RANK, ...mesh }, { model, training: batch }).map(
    ({ message }) => message,
  );
}

test('layers, rows, heads and micro-batches that divide are no problem', () => {
  expect(messages({})).toEqual([]);
  expect(messages({ dp: 4, pp: 2, zero_stage: 1 }, 5)).toEqual([]);
  expect(messages({ tp: 2, pp: 3, schedule: 'gpipe' }, 1)).toEqual([]);
  expect(messages({ pp: 2, schedule: 'interleaved', virtual_chunks: 3 }, 4)).toEqual([]);
  expect(messages({ dp: 4, zero_stage: 3 }, 1)).toEqual([]);
  expect(messages({ dp: 2, pp: 2 }, 4)).toEqual([]);
  expect(messages({ dp: 2, tp: 2 }, 1)).toEqual([]);
});

test('what only a run cannot do says what to set, after the problems of the mesh', () => {
  expect(messages({ pp: 4 })).toEqual([
    '6 layers cannot be split evenly among 4 pipeline stages; set pp to 3 or 6.',
  ]);
  expect(messages({ dp: 2, pp: 2, zero_stage: 2 })).toEqual([
    expect.stringContaining('ZeRO-2 sends gradients once for every micro-batch'),
  ]);
  const run = { model, training: { ...training, optimizer: 'muon' as const } };
  expect(labProblems({ ...ONE_RANK, tp: 2 }, run)).toMatchObject([{ field: 'tp', nearest: [1] }]);
});

test('a vocabulary may be cut into unequal parts', () => {
  const odd = { model: { ...model, vocab_size: 49 }, training };
  expect(labProblems({ ...ONE_RANK, tp: 2 }, odd)).toEqual([]);
});

test('adapters with a dropout of their own are not cut by tensor parallelism', () => {
  const run = { model, training };
  const mesh = { ...ONE_RANK, tp: 2 };
  const withDropout = { ...run, peft: { peft_type: 'lora', lora_dropout: 0.1 } as const };
  expect(labProblems(mesh, withDropout)[0]?.message).toContain('lora_dropout to 0');
  expect(labProblems(ONE_RANK, withDropout)).toEqual([]);
  expect(labProblems(mesh, { ...run, peft: { peft_type: 'lora', lora_dropout: 0 } })).toEqual([]);
});
