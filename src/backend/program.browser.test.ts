import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addInPlace,
  BindingTooLarge,
  compileProgram,
  dispatch,
  gpuMemory,
  opByOpDispatches,
  output,
  readback,
  Ring,
  rowsOf,
  setProgramMode,
  startBackend,
  Store,
  submit,
  tensorCount,
  submitStatistics,
  viewOf,
} from './index.ts';
import { startTested } from '../testing/start_once.ts';

const SQUARE = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
struct Params { n: u32, scale: f32 }
@group(0) @binding(2) var<uniform> p: Params;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < p.n) { y[id.x] = p.scale * x[id.x] * x[id.x]; }
}`;
const square = (x: tf.Tensor): tf.Tensor => {
  const y = output(x.shape);
  dispatch({
    name: 'square',
    code: SQUARE,
    writes: [y],
    reads: [x],
    params: [
      ['u32', x.size],
      ['f32', 0.5],
    ],
    workgroups: [Math.ceil(x.size / 64), 1, 1],
  });
  return y;
};

describe('programs on WebGPU', () => {
  let weights: Store;
  let inputs: Store;
  beforeAll(async () => {
    await startBackend('webgpu');
    weights = new Store('weights', [
      { name: 'a', shape: [5, 7] },
      { name: 'b', shape: [7, 3] },
      { name: 'grad', shape: [5, 3] },
    ]);
    inputs = new Store('inputs', [{ name: 'x', shape: [4, 5] }]);
  });
  afterAll(() => {
    weights.dispose();
    inputs.dispose();
  });

  const model = () => {
    const h = square(tf.matMul(inputs.get('x'), weights.get('a')));
    const y = tf.add(tf.softmax(tf.matMul(h, weights.get('b'))), tf.scalar(2));
    const g = tf.matMul(inputs.get('x'), y, true, false);
    addInPlace(weights.get('grad'), g);
    return { y, total: tf.sum(y) };
  };
  const fill = (n: number, s: number) =>
    Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7 + s));

  it('a replay equals the same function op by op, bit for bit, and calls no kernel of tfjs', async () => {
    weights.write('a', fill(35, 1));
    weights.write('b', fill(21, 2));
    const runs = async (mode: 'replay' | 'op_by_op') => {
      setProgramMode(mode);
      weights.write('grad', new Float32Array(15));
      const program = await compileProgram('test', model);
      const results: number[][] = [];
      const before = opByOpDispatches();
      for (let step = 0; step < 3; step++) {
        inputs.write('x', fill(20, 10 + step));
        submit([program]);
        const [y, total] = await readback([program.outputs.y, program.outputs.total]);
        results.push([...(y ?? []), ...(total ?? [])]);
      }
      if (mode === 'op_by_op') expect(opByOpDispatches()).toBeGreaterThan(before);
      else {
        expect(opByOpDispatches()).toBe(before);
        expect(program.dispatches).toBeGreaterThan(4);
      }
      results.push([...((await weights.read(['grad'])).get('grad') ?? [])]);
      program.dispose();
      return results;
    };
    const replay = await runs('replay');
    const direct = await runs('op_by_op');
    setProgramMode('replay');
    expect(replay).toEqual(direct);
    expect(replay[0]).not.toEqual(replay[1]);
    expect(replay.flat().every((v) => Number.isFinite(v) && v !== 0)).toBe(true);
  });

  it('gives the same bits in one submit and in many', async () => {
    weights.write('a', fill(35, 1));
    weights.write('b', fill(21, 2));
    inputs.write('x', fill(20, 3));
    const program = await compileProgram('cut', model);
    const second = await compileProgram('cut again', model);
    const { dispatches } = program;
    const run = async (parts: number): Promise<{ values: number[]; submits: number }> => {
      weights.write('grad', new Float32Array(15));
      const before = submitStatistics().submits;
      submit([program, second], parts);
      const submits = submitStatistics().submits - before;
      const [y, total] = await readback([second.outputs.y, second.outputs.total]);
      return {
        values: [
          ...(y ?? []),
          ...(total ?? []),
          ...((await weights.read(['grad'])).get('grad') ?? []),
        ],
        submits,
      };
    };
    const whole = await run(1);
    const all = 2 * (dispatches ?? NaN);
    expect(whole.submits).toBe(1);
    for (const parts of [2, 3, all]) {
      const cut = await run(parts);
      expect(cut.submits).toBe(Math.ceil(all / Math.ceil(all / parts)));
      expect(cut.values).toEqual(whole.values);
    }
    program.dispose();
    second.dispose();
  });

  it('gives its memory back', async () => {
    const before = { bytes: gpuMemory().allocated, tensors: tensorCount() };
    for (let i = 0; i < 3; i++) {
      const program = await compileProgram('again', model);
      submit([program]);
      await readback([program.outputs.total]);
      program.dispose();
    }
    expect(tensorCount()).toBe(before.tensors);
    expect(gpuMemory().allocated).toBe(before.bytes);
  });

  it('keeps late results in a ring', async () => {
    const program = await compileProgram('ring', () => ({ total: tf.sum(inputs.get('x')) }));
    const ring = new Ring(1, 4);
    for (let step = 0; step < 4; step++) {
      inputs.write('x', new Float32Array(20).fill(step));
      submit([program, ...ring.push(step, program.outputs.total)]);
    }
    expect(ring.full).toBe(true);
    expect((await ring.drain()).map((e) => [e.step, e.values[0]])).toEqual([
      [0, 0],
      [1, 20],
      [2, 40],
      [3, 60],
    ]);
    ring.dispose();
    program.dispose();
  });

  it('says which shader does not compile, and which tensor is too large', async () => {
    const broken = compileProgram('broken', () => {
      const y = output([4]);
      dispatch({
        name: 'nonsense',
        code: 'this is not WGSL',
        writes: [y],
        reads: [],
        workgroups: [1, 1, 1],
      });
      return { y };
    });
    await expect(broken).rejects.toThrow(/nonsense does not compile/);
    const huge = compileProgram('huge', () => ({ y: square(output([2 ** 20, 2 ** 12])) }));
    await expect(huge).rejects.toThrow(/reads a tensor that nothing/);
    const large = compileProgram('large', () => ({
      y: tf.tile(inputs.get('x'), [2 ** 16, 2 ** 12]),
    }));
    await expect(large).rejects.toThrow(BindingTooLarge);
  });
});

describe('views on WebGPU', () => {
  let table: Store;
  beforeAll(async () => {
    await startBackend('webgpu');
    table = new Store('table', [
      { name: 'before', shape: [7] },
      { name: 'w', shape: [6, 64] },
    ]);
    table.write(
      'w',
      Float32Array.from({ length: 384 }, (_, i) => i),
    );
  });
  afterAll(() => {
    table.dispose();
    setProgramMode('replay');
  });

  /** to[i] = from[i] squared and halved, both of them views. */
  const squareRows = (to: tf.Tensor, from: tf.Tensor): void => {
    dispatch({
      name: 'square',
      code: SQUARE,
      writes: [to],
      reads: [from],
      params: [
        ['u32', to.size],
        ['f32', 0.5],
      ],
      workgroups: [Math.ceil(to.size / 64), 1, 1],
    });
    tf.dispose([to, from]);
  };

  it.each(['replay', 'op_by_op'] as const)(
    'are the rows of what lies in a store and of what a program makes itself, %s',
    async (mode) => {
      setProgramMode(mode);
      const tensors = tensorCount();
      const program = await compileProgram('views', () => {
        const w = table.get('w');
        const y = output([3, 64]);
        const narrow = output([2, 64]);
        squareRows(viewOf(y, [2, 64]), rowsOf(w, 1, 3));
        squareRows(viewOf(narrow, [64]), rowsOf(w, 5, 6));
        // A view of a view, the same stretch as the one before.
        const last = rowsOf(narrow, 0, 1);
        squareRows(rowsOf(y, 2, 3), viewOf(last, [1, 64]));
        tf.dispose([last, narrow]);
        return { y };
      });
      submit([program]);
      const [y] = await readback([program.outputs.y]);
      const half = (i: number): number => 0.5 * i * i;
      expect(y).toEqual(
        Float32Array.from({ length: 192 }, (_, i) =>
          i < 128 ? half(64 + i) : Math.fround(half(half(320 + i - 128))),
        ),
      );
      program.dispose();
      expect(tensorCount()).toBe(tensors);
    },
  );

  it('begin where a binding may, end inside, and are not read beside what writes their owner', async () => {
    setProgramMode('replay');
    const w = table.get('w');
    expect(() => viewOf(w, [32], 32)).toThrow('cannot begin at byte 128');
    expect(() => rowsOf(w, 5, 7)).toThrow('is not inside');
    await expect(
      compileProgram('aliased', () => {
        squareRows(rowsOf(w, 0, 1), rowsOf(w, 1, 2));
        return {};
      }),
    ).rejects.toThrow('reads and writes one buffer');
  });
});

describe.each(['wasm', 'cpu', 'webgl'] as const)('programs on %s', (name) => {
  it('run the same function op by op and leak nothing', async () => {
    await startTested(name);
    const store = new Store('weights', [{ name: 'a', shape: [3] }]);
    const program = await compileProgram('test', () => {
      store.replace('a', tf.add(store.get('a'), 1));
      return { total: tf.sum(store.get('a')) };
    });
    const counts: number[] = [];
    const totals: (number | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      submit([program]);
      totals.push((await readback([program.outputs.total]))[0]?.[0]);
      counts.push(tensorCount());
    }
    expect(totals).toEqual([3, 6, 9, 12]);
    expect(new Set(counts).size).toBe(1);
    program.dispose();
    store.dispose();
  });
});
