/**
 * WGSL of attention's gradient, in two kernels without atomics, so that results are reproducible:
 * the first computes dq by tiles of queries (and delta, the row sums of dy y), the second dk and dv
 * by tiles of keys, summed over the query heads of a group in order (FlashAttention-2, Dao 2023,
 * algorithm 2). Softmax weights are recomputed from lse.
 */
import { activation, dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { remembered, unitCode, widthOf } from '../wgsl/index.ts';
import type { AttentionAttrs } from './attrs.ts';
import { declarations, loader, mainOf, storer } from './declarations.ts';
import { documentStarts, dropRows, firstKey, queriesSee } from './masks.ts';
import { type AttentionOptions, nameOf, optionalReads, params } from './options.ts';
import {
  type AttentionVariant,
  columnIndex,
  columnsOf,
  perCell,
  perRows,
  pickTile,
  rowIndices,
  rowsOf,
  type Tile,
} from './tile.ts';
import {
  accumulate,
  declareSums,
  outputRows,
  product,
  qkvRows,
  storeRows,
} from './tile_products.ts';

/** delta of the thread's rows, shared over the workgroup and written; z is their lse. */
function deltaOfRows({ tile, dropout, documents }: AttentionVariant): string {
  const partialSums = (v: number): string => `let is${v} = i0 + ${rowIndices(v)};
  ${dropout ? dropRows(v) : ''}${documents ? documentStarts(v) : ''}
  var part${v} = vec4f(); var z${v} = vec4f();
  for (var r = 0u; r < 4u; r++) {
    if (is${v}[r] < p.T) {
      let start = (b * p.T + is${v}[r]) * y_width() + q0;
      for (var c = tx; c < HD4; c += ${tile.X}u) {
        part${v}[r] += dot(load_y(start, c), load_dy(start, c));
      }
      z${v}[r] = lse[stats + is${v}[r]];
    }
  }
  red[tx][${8 * v}u + ty] = part${v};`;
  const addAndWrite = (v: number): string => `var delta${v} = vec4f();
  for (var n = 0u; n < ${tile.X}u; n++) { delta${v} += red[n][${8 * v}u + ty]; }
  if (tx == 0u) {
    for (var r = 0u; r < 4u; r++) {
      if (is${v}[r] < p.T) { delta[stats + is${v}[r]] = delta${v}[r]; }
    }
  }`;
  return `${perRows(tile, partialSums)}
  workgroupBarrier();
  ${perRows(tile, addAndWrite)}`;
}

/** The kernel of dq and delta. `units` says how the buffers are stored (`unitCode`). */
function queryCode(variant: AttentionVariant, units: string): string {
  const { head_dim, tile, dropout, documents } = variant;
  const scoreGradient = (v: number, j: number): string => {
    const key = columnIndex(tile, 'j0', j);
    return `select(vec4f(), exp(s${v}_${j} * p.scale - z${v}), ${queriesSee(documents, v, key)})
      * (g${v}_${j}${dropout ? ` * kept4(rows${v}, ${key})` : ''} - delta${v}) * p.scale`;
  };
  return `${units}
${declarations(variant, [
  ['read_write', 'dqkv', 'dqkv_stored'],
  ['read_write', 'delta', 'f32'],
  ['read', 'qkv', 'qkv_stored'],
  ['read', 'y', 'y_stored'],
  ['read', 'lse', 'f32'],
  ['read', 'dy', 'dy_stored'],
])}
${['qkv', 'y', 'dy'].map((name) => loader(name, head_dim)).join('\n')}
${storer('dqkv', head_dim)}
${mainOf(8 * tile.X)}
  let tx = tid % ${tile.X}u; let ty = tid / ${tile.X}u;
  let b = wg.z; let h = wg.y;
  let q0 = h * HD; let k0 = k_start() + h / group() * HD; let v0 = v_start() + h / group() * HD;
  let i0 = (count.x - 1u - wg.x) * ${rowsOf(tile)}u;
  let stats = (b * p.n_head + h) * p.T;
  ${dropout ? 'let site = drop_site();' : ''}
  ${deltaOfRows(variant)}
  ${declareSums(variant, 'dq')}
  let first = ${firstKey(documents, columnsOf(tile))};
  for (var j0 = first; j0 < min(i0 + ${rowsOf(tile)}u, p.T); j0 += ${columnsOf(tile)}u) {
    ${product(variant, 's', qkvRows('i0', 'q0'), qkvRows('j0', 'k0'))}
    ${product(variant, 'g', outputRows('dy', 'i0'), qkvRows('j0', 'v0'))}
    ${accumulate(variant, 'dq', scoreGradient, qkvRows('j0', 'k0'))}
  }
  ${storeRows(variant, 'dq', { ...qkvRows('i0', 'q0'), buffer: 'dqkv' })}
}`;
}

/** Replaces scores s by (dropped) weights and weight gradients g by score gradients. */
function weightsAndGradients({ tile, dropout, documents }: AttentionVariant): string {
  const cell = (v: number, n: number): string => {
    const seen = `seen_by(i, js${v})`;
    const visible = documents ? `(${seen} & (vec4u(document_start(b, i)) <= js${v}))` : seen;
    const keep = `let row = drop_row(site, b, h, i);
        let keep = vec4f(
          kept(row, js${v}.x), kept(row, js${v}.y), kept(row, js${v}.z), kept(row, js${v}.w));
        g${v}_${n} *= keep;`;
    return `{
        let i = ${columnIndex(tile, 'i0', n)}; let at = stats + min(i, p.T - 1u);
        let w = select(vec4f(), exp(s${v}_${n} * p.scale - lse[at]), ${visible});
        ${dropout ? keep : ''}
        g${v}_${n} = w * (g${v}_${n} - delta[at]) * p.scale;
        s${v}_${n} = w${dropout ? ' * keep' : ''};
      }`;
  };
  return perCell(tile, cell);
}

/** The kernel of dk and dv: rows of a tile are keys, its columns queries. */
function keyCode(variant: AttentionVariant, units: string): string {
  const { head_dim, tile, dropout, documents } = variant;
  const rows = rowsOf(tile);
  // Document starts never decrease: beyond a query of a later document no query sees these keys.
  const inDocument = documents ? ` && document_start(b, i0) < j0 + ${rows}u` : '';
  return `${units}
${declarations(variant, [
  ['read_write', 'dqkv', 'dqkv_stored'],
  ['read', 'qkv', 'qkv_stored'],
  ['read', 'lse', 'f32'],
  ['read', 'dy', 'dy_stored'],
  ['read', 'delta', 'f32'],
])}
${['qkv', 'dy'].map((name) => loader(name, head_dim)).join('\n')}
${storer('dqkv', head_dim)}
fn seen_by(i: u32, j: vec4u) -> vec4<bool> {
  return vec4<bool>(visible(i, j.x), visible(i, j.y), visible(i, j.z), visible(i, j.w));
}
@compute @workgroup_size(${8 * tile.X})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % ${tile.X}u; let ty = tid / ${tile.X}u;
  let b = wg.z; let kv = wg.y; let k0 = k_start() + kv * HD; let v0 = v_start() + kv * HD;
  ${dropout ? 'let site = drop_site();' : ''}
  // The first keys are seen by the most queries, so they start first.
  let j0 = wg.x * ${rows}u;
  ${perRows(tile, (v) => `let js${v} = j0 + ${rowIndices(v)};`)}
  ${declareSums(variant, 'dk')}
  ${declareSums(variant, 'dv')}
  let end = select(p.T, min(p.T, j0 + ${rows - 1}u + p.window), p.window > 0u);
  for (var h = kv * group(); h < (kv + 1u) * group(); h++) {
    let q0 = h * HD; let stats = (b * p.n_head + h) * p.T;
    for (var i0 = j0; i0 < end${inDocument}; i0 += ${columnsOf(tile)}u) {
      ${product(variant, 's', qkvRows('j0', 'k0'), qkvRows('i0', 'q0'))}
      ${product(variant, 'g', qkvRows('j0', 'v0'), outputRows('dy', 'i0'))}
      ${weightsAndGradients(variant)}
      ${accumulate(variant, 'dv', (v, n) => `s${v}_${n}`, outputRows('dy', 'i0'))}
      ${accumulate(variant, 'dk', (v, n) => `g${v}_${n}`, qkvRows('i0', 'q0'))}
    }
  }
  ${storeRows(variant, 'dk', { ...qkvRows('j0', 'k0'), buffer: 'dqkv' })}
  ${storeRows(variant, 'dv', { ...qkvRows('j0', 'v0'), buffer: 'dqkv' })}
}`;
}

const querySource = remembered(queryCode);
const keySource = remembered(keyCode);

/**
 * dqkv, laid out as qkv. With dropout, the same weights are dropped as in the forward pass. Tests
 * and benchmarks choose the tile.
 */
export function attentionGradKernel(
  { qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  attrs: AttentionAttrs,
  options: AttentionOptions & { tile?: Tile } = {},
): Tensors<'dqkv'> {
  const dqkv = activation(qkv.shape);
  const delta = output([attrs.B, attrs.n_head, attrs.T]);
  const { head_dim } = attrs;
  const variant: AttentionVariant = {
    head_dim,
    tile: options.tile ?? pickTile(attrs),
    dropout: options.drop !== undefined,
    documents: options.document_starts !== undefined,
  };
  const tiles = Math.ceil(attrs.T / rowsOf(variant.tile));
  const units = unitCode(widthOf(head_dim), { dqkv, qkv, y, dy });
  const optional = optionalReads(options);
  dispatch({
    name: `${nameOf(options)}_grad_q`,
    code: querySource(variant, units),
    writes: [dqkv, delta],
    reads: [qkv, y, lse, dy, ...optional],
    params: params(attrs, options.drop),
    workgroups: [tiles, attrs.n_head, attrs.B],
  });
  dispatch({
    name: `${nameOf(options)}_grad_kv`,
    code: keySource(variant, units),
    writes: [],
    updates: [dqkv],
    reads: [qkv, lse, dy, delta, ...optional],
    params: params(attrs, options.drop),
    workgroups: [tiles, attrs.n_kv_head, attrs.B],
  });
  delta.dispose();
  return { dqkv };
}
