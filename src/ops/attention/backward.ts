/**
 * WGSL of attention's gradient, in two kernels without atomics, so that a run repeats itself: dq by tiles of queries
 * (which also leaves delta, the row sums of dy y), then dk and dv by tiles of keys, summing over the query heads of the
 * group in order (FlashAttention-2, Dao 2023, algorithm 2). The weights are made again from lse.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';
import { accumulate, declare, elementOf, loader, params, product, shared, stage, storer, storeRows, TILE, unroll } from './tiles.ts';

export function queryCode(head_dim: number, drop: boolean): string {
  const E = elementOf(head_dim);
  return `
@group(0) @binding(0) var<storage, read_write> dqkv: array<${E}>;
@group(0) @binding(1) var<storage, read_write> delta: array<f32>;
@group(0) @binding(2) var<storage, read> qkv: array<${E}>;
@group(0) @binding(3) var<storage, read> y: array<${E}>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<${E}>;
${drop ? '@group(0) @binding(6) var<storage, read> rng: array<i32>;' : ''}
${shared(head_dim, drop ? 7 : 6, drop)}
${['qkv', 'y', 'dy'].map((name) => loader(name, head_dim)).join('\n')}
${storer('dqkv', head_dim)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % 8u; let ty = tid / 8u;
  let b = wg.z; let h = wg.y;
  let q0 = h * HD; let k0 = k_start() + h / group() * HD; let v0 = v_start() + h / group() * HD;
  let i0 = (count.x - 1u - wg.x) * 32u;
  let i = i0 + ty + vec4u(0u, 8u, 16u, 24u);
  let stats = (b * p.n_head + h) * p.T;
  ${drop ? 'let site = drop_site(); let rows = vec4u(drop_row(site, b, h, i.x), drop_row(site, b, h, i.y), drop_row(site, b, h, i.z), drop_row(site, b, h, i.w));' : ''}
  var part = vec4f(); var z = vec4f();
  for (var r = 0u; r < 4u; r++) {
    if (i[r] < p.T) {
      let start = (b * p.T + i[r]) * y_width() + q0;
      for (var c = tx; c < HD4; c += 8u) { part[r] += dot(load_y(start, c), load_dy(start, c)); }
      z[r] = lse[stats + i[r]];
    }
  }
  red[tx][ty] = part;
  workgroupBarrier();
  var row_delta = vec4f();
  for (var n = 0u; n < 8u; n++) { row_delta += red[n][ty]; }
  if (tx == 0u) { for (var r = 0u; r < 4u; r++) { if (i[r] < p.T) { delta[stats + i[r]] = row_delta[r]; } } }
  ${declare('dq', head_dim)}
  let first = select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u) / 32u * 32u;
  for (var j0 = first; j0 < min(i0 + 32u, p.T); j0 += 32u) {
    ${product('s', head_dim, (c) => stage('A', 'qkv', 'i0', 'width()', 'q0', c), (c) => stage('B', 'qkv', 'j0', 'width()', 'k0', c))}
    ${product('g', head_dim, (c) => stage('A', 'dy', 'i0', 'y_width()', 'q0', c), (c) => stage('B', 'qkv', 'j0', 'width()', 'v0', c))}
    ${unroll(4, (j) => `{
      let j = j0 + tx + ${8 * j}u;
      let w = select(vec4f(), exp(s${j} * p.scale - z), visible4(i, j));
      P[tx + ${8 * j}u][ty] = w * (g${j}${drop ? ' * kept4(rows, j)' : ''} - row_delta) * p.scale;
    }`)}
    ${accumulate('dq', head_dim, (c) => stage('B', 'qkv', 'j0', 'width()', 'k0', c))}
  }
  ${storeRows('dq', 'dqkv', head_dim, 'i0', 'width()', 'q0')}
}`;
}

export function keyCode(head_dim: number, drop: boolean): string {
  const E = elementOf(head_dim);
  return `
@group(0) @binding(0) var<storage, read_write> dqkv: array<${E}>;
@group(0) @binding(1) var<storage, read> qkv: array<${E}>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<${E}>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
${drop ? '@group(0) @binding(5) var<storage, read> rng: array<i32>;' : ''}
${shared(head_dim, drop ? 6 : 5, drop)}
${['qkv', 'dy'].map((name) => loader(name, head_dim)).join('\n')}
${storer('dqkv', head_dim)}
fn seen_by(i: u32, j: vec4u) -> vec4<bool> { return vec4<bool>(visible(i, j.x), visible(i, j.y), visible(i, j.z), visible(i, j.w)); }
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % 8u; let ty = tid / 8u;
  let b = wg.z; let kv = wg.y; let k0 = k_start() + kv * HD; let v0 = v_start() + kv * HD;
  ${drop ? 'let site = drop_site();' : ''}
  // Rows are keys here, columns queries. The first keys are seen by the most queries, and start first.
  let j0 = wg.x * 32u;
  let j = j0 + ty + vec4u(0u, 8u, 16u, 24u);
  ${declare('dk', head_dim)}
  ${declare('dv', head_dim)}
  let end = select(p.T, min(p.T, j0 + 31u + p.window), p.window > 0u);
  for (var h = kv * group(); h < (kv + 1u) * group(); h++) {
    let q0 = h * HD; let stats = (b * p.n_head + h) * p.T;
    for (var i0 = j0; i0 < end; i0 += 32u) {
      ${product('s', head_dim, (c) => stage('A', 'qkv', 'j0', 'width()', 'k0', c), (c) => stage('B', 'qkv', 'i0', 'width()', 'q0', c))}
      ${product('g', head_dim, (c) => stage('A', 'qkv', 'j0', 'width()', 'v0', c), (c) => stage('B', 'dy', 'i0', 'y_width()', 'q0', c))}
      ${unroll(4, (n) => `{
        let i = i0 + tx + ${8 * n}u; let at = stats + min(i, p.T - 1u);
        s${n} = select(vec4f(), exp(s${n} * p.scale - lse[at]), seen_by(i, j));
        ${drop ? `let row = drop_row(site, b, h, i); let keep = vec4f(kept(row, j.x), kept(row, j.y), kept(row, j.z), kept(row, j.w)); g${n} *= keep;` : ''}
        g${n} = s${n} * (g${n} - delta[at]) * p.scale;
        P[tx + ${8 * n}u][ty] = s${n}${drop ? ' * keep' : ''};
      }`)}
      ${accumulate('dv', head_dim, (c) => stage('B', 'dy', 'i0', 'y_width()', 'q0', c))}
      ${unroll(4, (n) => `P[tx + ${8 * n}u][ty] = g${n};`)}
      ${accumulate('dk', head_dim, (c) => stage('B', 'qkv', 'i0', 'width()', 'q0', c))}
    }
  }
  ${storeRows('dk', 'dqkv', head_dim, 'j0', 'width()', 'k0')}
  ${storeRows('dv', 'dqkv', head_dim, 'j0', 'width()', 'v0')}
}`;
}

/** Of attention with dropout where `drop` says so: the same weights are dropped again. */
export function attentionGradKernel({ qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>, a: AttentionAttrs, drop?: Dropout & { rng: Tensor }): Tensors<'dqkv'> {
  const dqkv = output(qkv.shape), delta = output([a.B, a.n_head, a.T]), tiles = Math.ceil(a.T / TILE);
  const name = drop ? 'attention_dropout_grad' : 'attention_grad', rng = drop ? [drop.rng] : [], dropped = drop !== undefined;
  dispatch({
    name: `${name}_q`, code: queryCode(a.head_dim, dropped), writes: [dqkv, delta], reads: [qkv, y, lse, dy, ...rng],
    params: params(a, drop), workgroups: [tiles, a.n_head, a.B],
  });
  dispatch({
    name: `${name}_kv`, code: keyCode(a.head_dim, dropped), writes: [], updates: [dqkv], reads: [qkv, lse, dy, delta, ...rng],
    params: params(a, drop), workgroups: [tiles, a.n_kv_head, a.B],
  });
  delta.dispose();
  return { dqkv };
}
