import { describe, expect, it } from 'vitest';
import { divisors, meshProblems, microBatchProblem } from './check.ts';
import type { Mesh } from './mesh.ts';
import { meshOf, modelOf, trainingWith } from './testing_models.ts';

const problems = (
  mesh: Partial<Mesh>,
  model = modelOf({ n_layer: 6, n_head: 6, n_embd: 96 }),
  changes: Parameters<typeof trainingWith>[0] = {},
) => meshProblems(meshOf(mesh), model, trainingWith(changes));

const messages = (...args: Parameters<typeof problems>): string[] =>
  problems(...args).map(({ message }) => message);

it('finds nothing wrong with a mesh that divides the model and the batch', () => {
  const mesh = { dp: 4, tp: 3, pp: 2, zero_stage: 3 } as const;
  expect(problems(mesh)).toEqual([]);
});

describe('a mesh that does not divide', () => {
  it('the heads is told the nearest sizes that divide all', () => {
    expect(messages({ tp: 4 })).toEqual([
      '6 heads cannot be split evenly among 4 ranks; set tp to 3 or 6.',
    ]);
    expect(problems({ tp: 4 })[0]).toMatchObject({ field: 'tp', nearest: [3, 6] });
  });

  it('the key/value heads or the feed-forward is told each of them', () => {
    const model = modelOf(
      { layout: 'llama', n_head: 8, n_kv_head: 2, n_embd: 64, n_inner: 100 },
      50_257,
    );
    expect(messages({ tp: 8 }, model)).toEqual([
      '2 key/value heads cannot be split evenly among 8 ranks; set tp to 2.',
      '100 feed-forward columns cannot be split evenly among 8 ranks; set tp to 2.',
    ]);
  });

  it('the vocabulary may do so, unless there are fewer tokens than ranks', () => {
    const wide = { n_head: 8, n_embd: 64 };
    expect(messages({ tp: 8 }, modelOf(wide, 50_257))).toEqual([]);
    expect(messages({ tp: 8 }, modelOf(wide, 5))).toEqual([
      '5 tokens of the vocabulary cannot be split among 8 ranks; set tp to 4.',
    ]);
  });

  it('the layers is told the nearest numbers of stages', () => {
    expect(messages({ pp: 4 })).toEqual([
      '6 layers cannot be split evenly among 4 pipeline stages; set pp to 3 or 6.',
    ]);
  });

  it('the chunks of a stage, or the micro-batches of an interleaved schedule, is told so', () => {
    const mesh = { pp: 2, schedule: 'interleaved' } as const;
    expect(messages({ ...mesh, virtual_chunks: 2 })).toEqual([
      'The 3 layers of a stage cannot be cut into 2 equal chunks; set virtual_chunks to 1 or 3.',
    ]);
    const steps = { gradient_accumulation_steps: 5 };
    expect(messages({ ...mesh, virtual_chunks: 3 }, undefined, steps)).toEqual([
      'The interleaved schedule needs a multiple of 2 micro-batches, one for each stage, not 5; ' +
        'set gradient_accumulation_steps to 4 or 6.',
    ]);
  });

  it('the batch is told the nearest ranks and batches', () => {
    expect(messages({ dp: 3 })).toEqual([
      'A micro-batch of 8 sequences cannot be split evenly among 3 data-parallel ranks; ' +
        'set dp to 2 or 4, or make micro-batches of 6 or 9.',
    ]);
    expect(microBatchProblem(16, 3)?.message).toBe(
      '16 sequences cannot be split evenly into 3 micro-batches; ' +
        'set gradient_accumulation_steps to 2 or 4.',
    );
    expect(microBatchProblem(16, 4)).toBeNull();
  });
});

it.each([0, -1, 1.5, NaN])('refuses %d ranks', (dp) => {
  expect(messages({ dp })).toEqual([`dp must be a whole number of at least 1, not ${dp}.`]);
});

it('refuses more ranks than are planned', () => {
  expect(messages({ dp: 1024, tp: 1024 })).toEqual([
    'This mesh has 1048576 ranks, and at most 65536 are planned.',
  ]);
});

it('every value that a problem suggests is free of that problem', () => {
  for (let tp = 1; tp <= 12; tp++)
    for (const { nearest } of problems({ tp }))
      for (const better of nearest) expect(problems({ tp: better })).toEqual([]);
});

it('lists the divisors of a number in ascending order', () => {
  expect(divisors(1)).toEqual([1]);
  expect(divisors(36)).toEqual([1, 2, 3, 4, 6, 9, 12, 18, 36]);
});
