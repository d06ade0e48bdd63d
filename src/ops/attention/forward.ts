/**
 * WGSL of attention's forward: one workgroup a (sequence, head, 32 queries). It walks over the keys
 * 32 at a time and keeps a running maximum and sum of each row (online softmax: Milakov and
 * Gimelshein 2018; FlashAttention-2, Dao 2023).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { columns } from '../heads/layout.ts';
import { unitCode, widthOf } from '../wgsl/index.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';
import {
  accumulate,
  chunksOf,
  columnsOf,
  declare,
  loader,
  params,
  perCell,
  perColumn,
  perRows,
  pickTile,
  product,
  rowIndices,
  rowsOf,
  shared,
  stage,
  stageSum,
  stays,
  storer,
  storeRows,
  type Tile,
  unroll,
} from './tiles.ts';

/** `units`: how qkv and y lie in memory (`unitCode`). */
export function forwardCode(head_dim: number, drop: boolean, t: Tile, units: string): string {
  // One chunk of queries stays in A for the whole walk; several take turns there.
  const once = stays(head_dim);
  const queries = (chunk: string): string => stage(t, 'A', 'qkv', 'i0', 'width()', 'q0', chunk);
  const key = (j: number): string => `j0 + tx + ${t.X * j}u`;
  return `${units}
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read> qkv: array<qkv_stored>;
${drop ? '@group(0) @binding(3) var<storage, read> rng: array<i32>;' : ''}
${shared(head_dim, drop ? 4 : 3, drop, t)}
${loader('qkv', head_dim)}
${storer('y', head_dim)}
@compute @workgroup_size(${8 * t.X})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % ${t.X}u; let ty = tid / ${t.X}u;
  let b = wg.z; let h = wg.y;
  let q0 = h * HD; let k0 = k_start() + h / group() * HD; let v0 = v_start() + h / group() * HD;
  // The last queries see the most keys: they start first.
  let i0 = (count.x - 1u - wg.x) * ${rowsOf(t)}u;
  ${drop ? 'let site = drop_site();' : ''}
  ${perRows(
    t,
    (
      v,
    ) => `let is${v} = i0 + ${rowIndices(v)}; var top${v} = vec4f(LOWEST); var total${v} = vec4f();
  ${drop ? `let rows${v} = vec4u(drop_row(site, b, h, is${v}.x), drop_row(site, b, h, is${v}.y), drop_row(site, b, h, is${v}.z), drop_row(site, b, h, is${v}.w));` : ''}`,
  )}
  ${declare(t, 'y', head_dim)}
  let first = select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u) / ${columnsOf(t)}u * ${columnsOf(t)}u;
  ${once ? queries('0u') : ''}
  for (var j0 = first; j0 < min(i0 + ${rowsOf(t)}u, p.T); j0 += ${columnsOf(t)}u) {
    ${product(
      t,
      's',
      head_dim,
      (c) => (once ? '' : queries(c)),
      (c) => stage(t, 'B', 'qkv', 'j0', 'width()', 'k0', c),
    )}
    ${perCell(t, (v, j) => `s${v}_${j} = select(vec4f(LOWEST), s${v}_${j} * p.scale, visible4(is${v}, ${key(j)}));`)}
    ${perRows(t, (v) => `var m${v} = s${v}_0; ${unroll(t.columns - 1, (j) => `m${v} = max(m${v}, s${v}_${j + 1});`)} red[tx][${8 * v}u + ty] = m${v};`)}
    workgroupBarrier();
    ${perRows(
      t,
      (v) => `m${v} = top${v};
    for (var n = 0u; n < ${t.X}u; n++) { m${v} = max(m${v}, red[n][${8 * v}u + ty]); }
    let shrink${v} = exp(top${v} - m${v});
    top${v} = m${v};
    total${v} *= shrink${v};
    // Nothing but masked keys so far: the maximum is LOWEST, and exp(0) must not count.
    ${perColumn(t, (j) => `s${v}_${j} = select(exp(s${v}_${j} - m${v}), vec4f(), s${v}_${j} <= vec4f(LOWEST)); total${v} += s${v}_${j};`)}
    ${unroll(chunksOf(head_dim, t), (c) => unroll(4, (r) => `y${4 * v + r}_${c} *= shrink${v}[${r}];`))}`,
    )}
    ${accumulate(
      t,
      'y',
      head_dim,
      (v, j) => `s${v}_${j}${drop ? ` * kept4(rows${v}, ${key(j)})` : ''}`,
      (from, c) => stageSum(t, 'qkv', `j0 + ${from}u`, 'width()', 'v0', c),
    )}
  }
  ${perRows(t, (v) => `red[tx][${8 * v}u + ty] = total${v}; total${v} = vec4f();`)}
  workgroupBarrier();
  for (var n = 0u; n < ${t.X}u; n++) { ${perRows(t, (v) => `total${v} += red[n][${8 * v}u + ty];`)} }
  ${storeRows(t, 'y', 'y', head_dim, 'i0', 'y_width()', 'q0', (value, r) => `${value} / total${r >> 2}[${r % 4}]`)}
  if (tx == 0u) {
    ${perRows(t, (v) => `for (var r = 0u; r < 4u; r++) { if (is${v}[r] < p.T) { lse[(b * p.n_head + h) * p.T + is${v}[r]] = top${v}[r] + log(total${v}[r]); } }`)}
  }
}`;
}

/** With dropout of the weights where `drop` says so; lse is without. */
export function attentionKernel(
  qkv: Tensor,
  a: AttentionAttrs,
  drop?: Dropout & { rng: Tensor },
  tile = pickTile(a),
): Tensors<'y' | 'lse'> {
  const y = activation([a.B * a.T, columns(a).q]);
  const lse = output([a.B, a.n_head, a.T]);
  dispatch({
    name: drop ? 'attention_dropout' : 'attention',
    code: forwardCode(
      a.head_dim,
      drop !== undefined,
      tile,
      unitCode(widthOf(a.head_dim), { qkv, y }),
    ),
    writes: [y, lse],
    reads: drop ? [qkv, drop.rng] : [qkv],
    params: params(a, drop),
    workgroups: [Math.ceil(a.T / rowsOf(tile)), a.n_head, a.B],
  });
  return { y, lse };
}
