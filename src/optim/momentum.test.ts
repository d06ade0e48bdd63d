/** Muon's momentum and parameters on the engine on the processor where gradients stay zero. */
import { beforeAll, expect, it } from 'vitest';
import { compileProgram, startBackend, Store, submit } from '../backend/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import type { OptimizedParameter } from './describe.ts';
import { trainingOf } from './expected_updates.ts';
import { createOptimizer } from './optimizer.ts';

const ROWS = 3;
const COLUMNS = 5;
const matrix: OptimizedParameter = {
  name: 'matrix',
  shape: [ROWS, COLUMNS],
  decay: true,
  kind: 'matrix',
  parts: [],
};

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

/** Values of a matrix whose last column is `last` and whose others are not small. */
const withLastColumn = (last: number): Float32Array =>
  Float32Array.from({ length: ROWS * COLUMNS }, (_, i) =>
    i % COLUMNS === COLUMNS - 1 ? last : Math.sin(i + 1),
  );

it('becomes zero before its squares are denormal', async () => {
  const spec = { name: matrix.name, shape: matrix.shape };
  const parameters = new Store('parameters', [spec]);
  const gradients = new Store('gradients', [spec]);
  const optimizer = createOptimizer(trainingOf({ optimizer: 'muon', momentum: 0.9 }), [matrix]);
  parameters.write('matrix', withLastColumn(1));
  const program = await compileProgram('update', () => optimizer.update(parameters, gradients));
  const momentumAfter = async (last: number): Promise<number[]> => {
    optimizer.state.write('momentum_buffer.matrix', withLastColumn(last));
    gradients.write('matrix', withLastColumn(0));
    optimizer.prepare(0, 0.01);
    submit([program]);
    return [...((await optimizer.state.read()).get('momentum_buffer.matrix') ?? [])];
  };
  const lastColumn = (values: number[]): number[] =>
    values.filter((_, i) => i % COLUMNS === COLUMNS - 1);
  const tiny = await momentumAfter(1e-18 * 0.9);
  expect(lastColumn(tiny)).toEqual([0, 0, 0]);
  const small = await momentumAfter(1e-15);
  for (const value of lastColumn(small)) expect(value).toBeCloseTo(0.9e-15, 20);
  // The other columns do not depend on it.
  expect(tiny.filter((value) => value !== 0)).toHaveLength(ROWS * (COLUMNS - 1));
  for (const resource of [program, parameters, gradients, optimizer]) resource.dispose();
});

it('becomes zero with the parameters that only decay', async () => {
  const spec = { name: matrix.name, shape: matrix.shape };
  const parameters = new Store('parameters', [spec]);
  const gradients = new Store('gradients', [spec]);
  const training = trainingOf({ optimizer: 'muon', momentum: 0.9, weight_decay: 1 });
  const optimizer = createOptimizer(training, [matrix]);
  const program = await compileProgram('update', () => optimizer.update(parameters, gradients));
  parameters.write('matrix', new Float32Array(ROWS * COLUMNS).fill(2 ** -110));
  optimizer.prepare(0, 0.01);
  submit([program]);
  const values = (await parameters.read()).get('matrix');
  expect(values).toEqual(new Float32Array(ROWS * COLUMNS));
  for (const resource of [program, parameters, gradients, optimizer]) resource.dispose();
});
