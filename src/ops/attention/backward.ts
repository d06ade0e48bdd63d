/**
 * WGSL of attention's gradient, in two kernels without atomics, so that a run repeats itself: dq by
 * tiles of queries (which also leaves delta, the row sums of dy y), then dk and dv by tiles of
 * keys, summing over the query heads of the group in order (FlashAttention-2, Dao 2023, algorithm
 * 2). The weights are made again from lse.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { unitCode, widthOf } from '../wgsl/index.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';
import {
  accumulate,
  columnsOf,
  declare,
  loader,
  params,
  perCell,
  perRows,
  pickTile,
  product,
  rowIndices,
  rowsOf,
  shared,
  stage,
  stageSum,
  storer,
  storeRows,
  type Tile,
} from './tiles.ts';

export function queryCode(head_dim: number, drop: boolean, t: Tile, units: string): string {
  const key = (j: number): string => `j0 + tx + ${t.X * j}u`;
  return `${units}
@group(0) @binding(0) var<storage, read_write> dqkv: array<dqkv_stored>;
@group(0) @binding(1) var<storage, read_write> delta: array<f32>;
@group(0) @binding(2) var<storage, read> qkv: array<qkv_stored>;
@group(0) @binding(3) var<storage, read> y: array<y_stored>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<dy_stored>;
${drop ? '@group(0) @binding(6) var<storage, read> rng: array<i32>;' : ''}
${shared(head_dim, drop ? 7 : 6, drop, t)}
${['qkv', 'y', 'dy'].map((name) => loader(name, head_dim)).join('\n')}
${storer('dqkv', head_dim)}
@compute @workgroup_size(${8 * t.X})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % ${t.X}u; let ty = tid / ${t.X}u;
  let b = wg.z; let h = wg.y;
  let q0 = h * HD; let k0 = k_start() + h / group() * HD; let v0 = v_start() + h / group() * HD;
  let i0 = (count.x - 1u - wg.x) * ${rowsOf(t)}u;
  let stats = (b * p.n_head + h) * p.T;
  ${drop ? 'let site = drop_site();' : ''}
  ${perRows(
    t,
    (v) => `let is${v} = i0 + ${rowIndices(v)};
  ${drop ? `let rows${v} = vec4u(drop_row(site, b, h, is${v}.x), drop_row(site, b, h, is${v}.y), drop_row(site, b, h, is${v}.z), drop_row(site, b, h, is${v}.w));` : ''}
  var part${v} = vec4f(); var z${v} = vec4f();
  for (var r = 0u; r < 4u; r++) {
    if (is${v}[r] < p.T) {
      let start = (b * p.T + is${v}[r]) * y_width() + q0;
      for (var c = tx; c < HD4; c += ${t.X}u) { part${v}[r] += dot(load_y(start, c), load_dy(start, c)); }
      z${v}[r] = lse[stats + is${v}[r]];
    }
  }
  red[tx][${8 * v}u + ty] = part${v};`,
  )}
  workgroupBarrier();
  ${perRows(
    t,
    (v) => `var delta${v} = vec4f();
  for (var n = 0u; n < ${t.X}u; n++) { delta${v} += red[n][${8 * v}u + ty]; }
  if (tx == 0u) { for (var r = 0u; r < 4u; r++) { if (is${v}[r] < p.T) { delta[stats + is${v}[r]] = delta${v}[r]; } } }`,
  )}
  ${declare(t, 'dq', head_dim)}
  let first = select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u) / ${columnsOf(t)}u * ${columnsOf(t)}u;
  for (var j0 = first; j0 < min(i0 + ${rowsOf(t)}u, p.T); j0 += ${columnsOf(t)}u) {
    ${product(
      t,
      's',
      head_dim,
      (c) => stage(t, 'A', 'qkv', 'i0', 'width()', 'q0', c),
      (c) => stage(t, 'B', 'qkv', 'j0', 'width()', 'k0', c),
    )}
    ${product(
      t,
      'g',
      head_dim,
      (c) => stage(t, 'A', 'dy', 'i0', 'y_width()', 'q0', c),
      (c) => stage(t, 'B', 'qkv', 'j0', 'width()', 'v0', c),
    )}
    ${accumulate(
      t,
      'dq',
      head_dim,
      (v, j) =>
        `select(vec4f(), exp(s${v}_${j} * p.scale - z${v}), visible4(is${v}, ${key(j)})) * (g${v}_${j}${drop ? ` * kept4(rows${v}, ${key(j)})` : ''} - delta${v}) * p.scale`,
      (from, c) => stageSum(t, 'qkv', `j0 + ${from}u`, 'width()', 'k0', c),
    )}
  }
  ${storeRows(t, 'dq', 'dqkv', head_dim, 'i0', 'width()', 'q0')}
}`;
}

export function keyCode(head_dim: number, drop: boolean, t: Tile, units: string): string {
  return `${units}
@group(0) @binding(0) var<storage, read_write> dqkv: array<dqkv_stored>;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_stored>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<dy_stored>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
${drop ? '@group(0) @binding(5) var<storage, read> rng: array<i32>;' : ''}
${shared(head_dim, drop ? 6 : 5, drop, t)}
${['qkv', 'dy'].map((name) => loader(name, head_dim)).join('\n')}
${storer('dqkv', head_dim)}
fn seen_by(i: u32, j: vec4u) -> vec4<bool> { return vec4<bool>(visible(i, j.x), visible(i, j.y), visible(i, j.z), visible(i, j.w)); }
@compute @workgroup_size(${8 * t.X})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % ${t.X}u; let ty = tid / ${t.X}u;
  let b = wg.z; let kv = wg.y; let k0 = k_start() + kv * HD; let v0 = v_start() + kv * HD;
  ${drop ? 'let site = drop_site();' : ''}
  // Rows are keys here, columns queries. The first keys are seen by the most queries, and start
  // first.
  let j0 = wg.x * ${rowsOf(t)}u;
  ${perRows(t, (v) => `let js${v} = j0 + ${rowIndices(v)};`)}
  ${declare(t, 'dk', head_dim)}
  ${declare(t, 'dv', head_dim)}
  let end = select(p.T, min(p.T, j0 + ${rowsOf(t) - 1}u + p.window), p.window > 0u);
  for (var h = kv * group(); h < (kv + 1u) * group(); h++) {
    let q0 = h * HD; let stats = (b * p.n_head + h) * p.T;
    for (var i0 = j0; i0 < end; i0 += ${columnsOf(t)}u) {
      ${product(
        t,
        's',
        head_dim,
        (c) => stage(t, 'A', 'qkv', 'j0', 'width()', 'k0', c),
        (c) => stage(t, 'B', 'qkv', 'i0', 'width()', 'q0', c),
      )}
      ${product(
        t,
        'g',
        head_dim,
        (c) => stage(t, 'A', 'qkv', 'j0', 'width()', 'v0', c),
        (c) => stage(t, 'B', 'dy', 'i0', 'y_width()', 'q0', c),
      )}
      ${perCell(
        t,
        (v, n) => `{
        let i = i0 + tx + ${t.X * n}u; let at = stats + min(i, p.T - 1u);
        let w = select(vec4f(), exp(s${v}_${n} * p.scale - lse[at]), seen_by(i, js${v}));
        ${drop ? `let row = drop_row(site, b, h, i); let keep = vec4f(kept(row, js${v}.x), kept(row, js${v}.y), kept(row, js${v}.z), kept(row, js${v}.w)); g${v}_${n} *= keep;` : ''}
        g${v}_${n} = w * (g${v}_${n} - delta[at]) * p.scale;
        s${v}_${n} = w${drop ? ' * keep' : ''};
      }`,
      )}
      ${accumulate(
        t,
        'dv',
        head_dim,
        (v, n) => `s${v}_${n}`,
        (from, c) => stageSum(t, 'dy', `i0 + ${from}u`, 'y_width()', 'q0', c),
      )}
      ${accumulate(
        t,
        'dk',
        head_dim,
        (v, n) => `g${v}_${n}`,
        (from, c) => stageSum(t, 'qkv', `i0 + ${from}u`, 'width()', 'q0', c),
      )}
    }
  }
  ${storeRows(t, 'dk', 'dqkv', head_dim, 'j0', 'width()', 'k0')}
  ${storeRows(t, 'dv', 'dqkv', head_dim, 'j0', 'width()', 'v0')}
}`;
}

/** Of attention with dropout where `drop` says so: the same weights are dropped again. */
export function attentionGradKernel(
  { qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  a: AttentionAttrs,
  drop?: Dropout & { rng: Tensor },
  tile = pickTile(a),
): Tensors<'dqkv'> {
  const dqkv = activation(qkv.shape);
  const delta = output([a.B, a.n_head, a.T]);
  const tiles = Math.ceil(a.T / rowsOf(tile));
  const name = drop ? 'attention_dropout_grad' : 'attention_grad';
  const rng = drop ? [drop.rng] : [];
  const dropped = drop !== undefined;
  const units = unitCode(widthOf(a.head_dim), { dqkv, qkv, y, dy });
  dispatch({
    name: `${name}_q`,
    code: queryCode(a.head_dim, dropped, tile, units),
    writes: [dqkv, delta],
    reads: [qkv, y, lse, dy, ...rng],
    params: params(a, drop),
    workgroups: [tiles, a.n_head, a.B],
  });
  dispatch({
    name: `${name}_kv`,
    code: keyCode(a.head_dim, dropped, tile, units),
    writes: [],
    updates: [dqkv],
    reads: [qkv, lse, dy, delta, ...rng],
    params: params(a, drop),
    workgroups: [tiles, a.n_kv_head, a.B],
  });
  delta.dispose();
  return { dqkv };
}
