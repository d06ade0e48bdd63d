/**
 * Times attention's tiles against the small one, which every device can run, and compares their
 * results. `bench.html?attention=1&config=M`.
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
import { NamedStores } from './named_stores.ts';
import { type OpRow, repeated } from './op_timer.ts';

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
type Direction = (typeof DIRECTIONS)[number];

const TENSORS = ['qkv', 'y', 'dy', 'lse'] as const;
type Tensors = NamedStores<(typeof TENSORS)[number]>;

/** The time and the result of one tile. */
interface TileResult {
  ms: number;
  values: ArrayLike<number>;
  dispatches: number | null;
}

/** `referenceMs` of a row is the time of the small tile. */
export async function measureAttentionTiles(
  size: ConfigName,
  log: (line: string) => void,
): Promise<OpRow[]> {
  const { device, errors } = await startDevice({ backend: 'webgpu' });
  const attrs = attrsOf(size);
  const tensors = await attentionTensors(attrs);
  const fence = new Store('fence', [{ name: 'fence', shape: [1] }]);
  const rows: OpRow[] = [];
  const small = new Map<Direction, TileResult>();
  for (const tile of TILES) {
    for (const direction of DIRECTIONS) {
      const result = await compileTile(tensors, attrs, tile, direction)
        .then((program) => timeTile(program, fence))
        .catch((error: unknown) => {
          log(`${direction} ${JSON.stringify(tile)}: ${String(error)}`);
          return null;
        });
      if (!result) continue;
      const reference = small.get(direction) ?? result;
      small.set(direction, reference);
      const row = rowOf(result, reference, attrs, direction);
      const title = `${titleOf(tile, direction)}: relative error ${relativeError(result, reference)}`;
      const why = errors.shift() ?? null;
      rows.push({ ...row, op: 'attention', size, title, why, adapter: device.adapter });
      log(`${title}: ${result.ms.toFixed(4)} ms`);
    }
  }
  return rows;
}

function attrsOf(size: ConfigName): AttentionAttrs {
  const { batch_size, block_size, n_head, n_embd } = CONFIGS[size];
  return {
    B: batch_size,
    T: block_size,
    n_head,
    n_kv_head: n_head,
    head_dim: n_embd / n_head,
    window: 0,
  };
}

/** Random qkv and dy, with y and lse computed from qkv, which the gradient reads. */
async function attentionTensors(attrs: AttentionAttrs): Promise<Tensors> {
  const { B, T, n_head } = attrs;
  const { width, q } = columns(attrs);
  const shapes = { qkv: [B * T, width], y: [B * T, q], dy: [B * T, q], lse: [B, n_head, T] };
  const tensors = new NamedStores(TENSORS, (name) => shapes[name]);
  tensors.fill(['qkv', 'dy']);
  const forward = await compileProgram('attention statistics', () =>
    attentionKernel(tensors.get('qkv'), attrs, { tile: SMALL }),
  );
  forward.run();
  const [y, lse] = await readback([forward.outputs.y, forward.outputs.lse]);
  if (y instanceof Float32Array) tensors.write('y', y);
  if (lse instanceof Float32Array) tensors.write('lse', lse);
  forward.dispose();
  return tensors;
}

type TileProgram = Program<{ result: Tensor }>;

async function compileTile(
  tensors: Tensors,
  attrs: AttentionAttrs,
  tile: Tile,
  direction: Direction,
): Promise<TileProgram> {
  return compileProgram(`attention ${direction}`, () => {
    const qkv = tensors.get('qkv');
    if (direction === 'forward') {
      const { y, lse } = attentionKernel(qkv, attrs, { tile });
      lse.dispose();
      return { result: y };
    }
    const inputs = { qkv, y: tensors.get('y'), lse: tensors.get('lse'), dy: tensors.get('dy') };
    return { result: attentionGradKernel(inputs, attrs, { tile }).dqkv };
  });
}

async function timeTile(program: TileProgram, fence: Store): Promise<TileResult> {
  try {
    const ms = await repeated(program, fence);
    const [values = new Float32Array()] = await readback([program.outputs.result]);
    return { ms, values, dispatches: program.dispatches };
  } finally {
    program.dispose();
  }
}

const titleOf = ({ X, rows, columns, unroll }: Tile, direction: Direction): string =>
  `${direction}, ${X} threads a row, ${rows} x 4 rows, ${columns} columns, unrolled ${unroll}`;

/** Largest difference over the largest value of the reference. */
function relativeError({ values }: TileResult, reference: TileResult): string {
  let error = 0;
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const expected = reference.values[i] ?? NaN;
    error = Math.max(error, Math.abs((values[i] ?? NaN) - expected));
    largest = Math.max(largest, Math.abs(expected));
  }
  return (error / largest).toExponential(1);
}

function rowOf(
  { ms, dispatches }: TileResult,
  reference: TileResult,
  { B, T, n_head, head_dim }: AttentionAttrs,
  direction: Direction,
): Omit<OpRow, 'op' | 'size' | 'title' | 'why' | 'adapter'> {
  // The causal half of the matmuls: two forward; seven backward, where two kernels recompute the
  // scores.
  const matmuls = direction === 'forward' ? 2 : 7;
  const flops = matmuls * B * n_head * T * T * head_dim;
  return {
    ms,
    referenceMs: reference.ms,
    copyMs: 0,
    bytes: 0,
    gbPerSec: null,
    gflops: flops / ms / 1e6,
    dispatches,
  };
}
