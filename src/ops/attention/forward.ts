/**
 * WGSL of attention's forward: one workgroup a (sequence, head, 32 queries). It walks over the keys 32 at a time and
 * keeps a running maximum and sum of each row (online softmax: Milakov and Gimelshein 2018; FlashAttention-2, Dao 2023).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { columns } from '../heads/layout.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';
import { accumulate, declare, elementOf, loader, params, product, shared, stage, storer, storeRows, TILE, unroll, chunksOf } from './tiles.ts';

export function forwardCode(head_dim: number, drop: boolean): string {
  // One chunk of queries stays in A for the whole walk; several take turns there.
  const E = elementOf(head_dim), once = chunksOf(head_dim) === 1, queries = (chunk: string): string => stage('A', 'qkv', 'i0', 'width()', 'q0', chunk);
  return `
@group(0) @binding(0) var<storage, read_write> y: array<${E}>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read> qkv: array<${E}>;
${drop ? '@group(0) @binding(3) var<storage, read> rng: array<i32>;' : ''}
${shared(head_dim, drop ? 4 : 3, drop)}
${loader('qkv', head_dim)}
${storer('y', head_dim)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % 8u; let ty = tid / 8u;
  let b = wg.z; let h = wg.y;
  let q0 = h * HD; let k0 = k_start() + h / group() * HD; let v0 = v_start() + h / group() * HD;
  // The last queries see the most keys: they start first.
  let i0 = (count.x - 1u - wg.x) * 32u;
  let i = i0 + ty + vec4u(0u, 8u, 16u, 24u);
  ${drop ? 'let site = drop_site(); let rows = vec4u(drop_row(site, b, h, i.x), drop_row(site, b, h, i.y), drop_row(site, b, h, i.z), drop_row(site, b, h, i.w));' : ''}
  var top = vec4f(LOWEST); var total = vec4f();
  ${declare('y', head_dim)}
  let first = select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u) / 32u * 32u;
  ${once ? queries('0u') : ''}
  for (var j0 = first; j0 < min(i0 + 32u, p.T); j0 += 32u) {
    ${product('s', head_dim, (c) => (once ? '' : queries(c)), (c) => stage('B', 'qkv', 'j0', 'width()', 'k0', c))}
    ${unroll(4, (j) => `s${j} = select(vec4f(LOWEST), s${j} * p.scale, visible4(i, j0 + tx + ${8 * j}u));`)}
    red[tx][ty] = max(max(s0, s1), max(s2, s3));
    workgroupBarrier();
    var m = top;
    for (var n = 0u; n < 8u; n++) { m = max(m, red[n][ty]); }
    let shrink = exp(top - m);
    top = m;
    // Nothing but masked keys so far: the maximum is LOWEST, and exp(0) must not count.
    ${unroll(4, (j) => `s${j} = select(exp(s${j} - m), vec4f(), s${j} <= vec4f(LOWEST)); P[tx + ${8 * j}u][ty] = s${j}${drop ? ` * kept4(rows, j0 + tx + ${8 * j}u)` : ''};`)}
    total = total * shrink + (s0 + s1) + (s2 + s3);
    ${unroll(chunksOf(head_dim), (c) => unroll(4, (r) => `y${r}_${c} *= shrink[${r}];`))}
    ${accumulate('y', head_dim, (c) => stage('B', 'qkv', 'j0', 'width()', 'v0', c))}
  }
  red[tx][ty] = total;
  workgroupBarrier();
  total = vec4f();
  for (var n = 0u; n < 8u; n++) { total += red[n][ty]; }
  ${storeRows('y', 'y', head_dim, 'i0', 'y_width()', 'q0', (v, r) => `${v} / total[${r}]`)}
  if (tx == 0u) {
    for (var r = 0u; r < 4u; r++) { if (i[r] < p.T) { lse[(b * p.n_head + h) * p.T + i[r]] = top[r] + log(total[r]); } }
  }
}`;
}

/** With dropout of the weights where `drop` says so; lse is without. */
export function attentionKernel(qkv: Tensor, a: AttentionAttrs, drop?: Dropout & { rng: Tensor }): Tensors<'y' | 'lse'> {
  const y = output([a.B * a.T, columns(a).q]), lse = output([a.B, a.n_head, a.T]);
  dispatch({
    name: drop ? 'attention_dropout' : 'attention', code: forwardCode(a.head_dim, drop !== undefined), writes: [y, lse],
    reads: drop ? [qkv, drop.rng] : [qkv], params: params(a, drop), workgroups: [Math.ceil(a.T / TILE), a.n_head, a.B],
  });
  return { y, lse };
}
