/**
 * Attention's tiles against the small one, which every device can run: time and largest difference.
 * `bench.html?attention=1&config=M`.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, type Program, readback, Store } from '../src/backend/index.ts';
import type { AttentionAttrs } from '../src/ops/attention/attrs.ts';
import { attentionGradKernel } from '../src/ops/attention/backward.ts';
import { attentionKernel } from '../src/ops/attention/forward.ts';
import { SMALL, type Tile } from '../src/ops/attention/tile.ts';
import { columns } from '../src/ops/heads/layout.ts';
import { CONFIGS, type ConfigName } from './configs.ts';
import { startDevice } from './device.ts';
import { type OpRow, repeated } from './op_timer.ts';
import { normal } from './ops_list.ts';

const TILES: readonly Tile[] = [
  SMALL,
  ...[1, 4, 8].flatMap((unroll) => [
    { X: 16, rows: 1, columns: 4, unroll },
    { X: 8, rows: 1, columns: 4, unroll },
    { X: 16, rows: 2, columns: 4, unroll },
    { X: 8, rows: 1, columns: 8, unroll },
  ]),
];
const DIRECTIONS = ['forward', 'backward'] as const;

/** `referenceMs` is the small tile's time. */
export async function measureAttentionTiles(
  size: ConfigName,
  log: (line: string) => void,
): Promise<OpRow[]> {
  const {
    device: { adapter },
    errors,
  } = await startDevice('webgpu');
  const c = CONFIGS[size];
  const a: AttentionAttrs = {
    B: c.batch_size,
    T: c.block_size,
    n_head: c.n_head,
    n_kv_head: c.n_head,
    head_dim: c.n_embd / c.n_head,
    window: 0,
  };
  const rows = a.B * a.T;
  const shapes = {
    qkv: [rows, columns(a).width],
    y: [rows, columns(a).q],
    dy: [rows, columns(a).q],
    lse: [a.B, a.n_head, a.T],
  };
  const store = new Map(
    Object.entries(shapes).map(([name, shape]) => [name, new Store(name, [{ name, shape }])]),
  );
  const get = (name: keyof typeof shapes): Tensor => {
    const s = store.get(name);
    if (!s) throw new Error(`There is no ${name}.`);
    return s.get(name);
  };
  const fence = new Store('fence', [{ name: 'fence', shape: [1] }]);
  const result: OpRow[] = [];
  const wanted = new Map<string, { ms: number; values: ArrayLike<number> }>();
  for (const name of ['qkv', 'dy'] as const) store.get(name)?.write(name, normal(get(name).size));
  for (const tile of TILES)
    for (const direction of DIRECTIONS) {
      const programs: Program<{ result: Tensor }>[] = [];
      try {
        const program = await compileProgram(`attention ${direction}`, () => {
          if (direction === 'backward')
            return {
              result: attentionGradKernel(
                { qkv: get('qkv'), y: get('y'), lse: get('lse'), dy: get('dy') },
                a,
                { tile },
              ).dqkv,
            };
          const { y, lse } = attentionKernel(get('qkv'), a, { tile });
          lse.dispose();
          return { result: y };
        });
        programs.push(program);
        const ms = await repeated(program, fence);
        const [values = new Float32Array()] = await readback([program.outputs.result]);
        const small = wanted.get(direction) ?? { ms, values };
        wanted.set(direction, small);
        if (tile === SMALL && direction === 'forward')
          await fillStatistics(a, get, (name, v) => store.get(name)?.write(name, v));
        let error = 0;
        let largest = 0;
        for (let i = 0; i < values.length; i++) {
          error = Math.max(error, Math.abs((values[i] ?? NaN) - (small.values[i] ?? NaN)));
          largest = Math.max(largest, Math.abs(small.values[i] ?? NaN));
        }
        // Half of the full products: the causal half. Backward makes the scores twice in two
        // kernels.
        const flops = (direction === 'forward' ? 2 : 7) * a.B * a.n_head * a.T * a.T * a.head_dim;
        result.push({
          op: 'attention',
          size,
          title: `${direction}, ${tile.X} threads a row, ${tile.rows} x 4 rows, ${tile.columns} columns, unrolled ${tile.unroll}: relative error ${(error / largest).toExponential(1)}`,
          ms,
          referenceMs: small.ms,
          copyMs: 0,
          bytes: 0,
          gbPerSec: null,
          gflops: flops / ms / 1e6,
          dispatches: program.dispatches,
          why: errors.shift() ?? null,
          adapter,
        });
        log(`${result.at(-1)?.title ?? ''}: ${ms.toFixed(4)} ms`);
      } catch (error) {
        log(`${direction} ${JSON.stringify(tile)}: ${String(error)}`);
      } finally {
        for (const p of programs) p.dispose();
      }
    }
  return result;
}

/** y and lse of this qkv, which the gradient reads. */
async function fillStatistics(
  a: AttentionAttrs,
  get: (name: 'qkv') => Tensor,
  write: (name: 'y' | 'lse', values: Float32Array) => void,
): Promise<void> {
  const program = await compileProgram('attention statistics', () =>
    attentionKernel(get('qkv'), a, { tile: SMALL }),
  );
  program.run();
  const [y, lse] = await readback([program.outputs.y, program.outputs.lse]);
  if (y instanceof Float32Array && lse instanceof Float32Array) {
    write('y', y);
    write('lse', lse);
  }
  program.dispose();
}
