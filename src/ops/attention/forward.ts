/**
 * WGSL of attention's forward pass. A workgroup computes a tile of queries of one head: it walks
 * over the keys, a tile at a time, and keeps a running maximum and sum for each row (online
 * softmax: Milakov and Gimelshein 2018; FlashAttention-2, Dao 2023).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { columns } from '../heads/layout.ts';
import { remembered, unitCode, unroll, widthOf } from '../wgsl/index.ts';
import type { AttentionAttrs } from './attrs.ts';
import { declarations, loader, mainOf, storer } from './declarations.ts';
import { documentStarts, dropRows, firstKey, queriesSee } from './masks.ts';
import { type AttentionOptions, nameOf, optionalReads, params } from './options.ts';
import {
  type AttentionVariant,
  columnIndex,
  columnsOf,
  perCell,
  perColumn,
  perRows,
  pickTile,
  productChunks,
  rowIndices,
  rowsOf,
  sumChunks,
  type Tile,
} from './tile.ts';
import {
  accumulate,
  declareSums,
  outputRows,
  product,
  qkvRows,
  stage,
  storeRows,
} from './tile_products.ts';

/** Masks the scores s and replaces them by weights relative to the new running maximum. */
function softmaxOfTile(variant: AttentionVariant): string {
  const { tile, documents } = variant;
  const mask = (v: number, j: number): string =>
    `s${v}_${j} = select(vec4f(LOWEST), s${v}_${j} * p.scale,
      ${queriesSee(documents, v, columnIndex(tile, 'j0', j))});`;
  const rowMaximum = (v: number): string => `var m${v} = s${v}_0;
    ${unroll(tile.columns - 1, (j) => `m${v} = max(m${v}, s${v}_${j + 1});`)}
    red[tx][${8 * v}u + ty] = m${v};`;
  const weight = (v: number) => (j: number) => `
    s${v}_${j} = select(exp(s${v}_${j} - m${v}), vec4f(), s${v}_${j} <= vec4f(LOWEST));
    total${v} += s${v}_${j};`;
  const rescale = (v: number) => (c: number) =>
    unroll(4, (r) => `y${4 * v + r}_${c} *= shrink${v}[${r}];`);
  const update = (v: number): string => `m${v} = top${v};
    for (var n = 0u; n < ${tile.X}u; n++) { m${v} = max(m${v}, red[n][${8 * v}u + ty]); }
    let shrink${v} = exp(top${v} - m${v});
    top${v} = m${v};
    total${v} *= shrink${v};
    // If all keys so far are masked, the maximum is LOWEST, and exp(0) must not count.
    ${perColumn(tile, weight(v))}
    ${unroll(sumChunks(variant), rescale(v))}`;
  return `${perCell(tile, mask)}
    ${perRows(tile, rowMaximum)}
    workgroupBarrier();
    ${perRows(tile, update)}`;
}

/** Adds up the rows' sums over the workgroup and writes y and lse. */
function writeResults(variant: AttentionVariant): string {
  const { tile } = variant;
  const share = (v: number): string => `red[tx][${8 * v}u + ty] = total${v}; total${v} = vec4f();`;
  const add = (v: number): string => `total${v} += red[n][${8 * v}u + ty];`;
  const normalise = (value: string, r: number): string => `${value} / total${r >> 2}[${r % 4}]`;
  const writeLse = (v: number): string => `for (var r = 0u; r < 4u; r++) {
      if (is${v}[r] < p.T) {
        lse[(b * p.n_head + h) * p.T + is${v}[r]] = top${v}[r] + log(total${v}[r]);
      }
    }`;
  return `${perRows(tile, share)}
  workgroupBarrier();
  for (var n = 0u; n < ${tile.X}u; n++) { ${perRows(tile, add)} }
  ${storeRows(variant, 'y', outputRows('y', 'i0'), normalise)}
  if (tx == 0u) {
    ${perRows(tile, writeLse)}
  }`;
}

/** The whole source. `units` says how qkv and y are stored (`unitCode`). */
function forwardCode(variant: AttentionVariant, units: string): string {
  const { head_dim, tile, dropout, documents } = variant;
  const queries = qkvRows('i0', 'q0');
  // A single chunk of queries stays in shared memory for the whole walk; several take turns.
  const staysStaged = productChunks(variant) === 1;
  const weight = (v: number, j: number): string =>
    `s${v}_${j}${dropout ? ` * kept4(rows${v}, ${columnIndex(tile, 'j0', j)})` : ''}`;
  const declareRows = (v: number): string => `let is${v} = i0 + ${rowIndices(v)};
  var top${v} = vec4f(LOWEST); var total${v} = vec4f();
  ${dropout ? dropRows(v) : ''}${documents ? documentStarts(v) : ''}`;
  return `${units}
${declarations(variant, [
  ['read_write', 'y', 'y_stored'],
  ['read_write', 'lse', 'f32'],
  ['read', 'qkv', 'qkv_stored'],
])}
${loader('qkv', head_dim)}
${storer('y', head_dim)}
${mainOf(8 * tile.X)}
  let tx = tid % ${tile.X}u; let ty = tid / ${tile.X}u;
  let b = wg.z; let h = wg.y;
  let q0 = h * HD; let k0 = k_start() + h / group() * HD; let v0 = v_start() + h / group() * HD;
  // The last queries see the most keys, so they start first.
  let i0 = (count.x - 1u - wg.x) * ${rowsOf(tile)}u;
  ${dropout ? 'let site = drop_site();' : ''}
  ${perRows(tile, declareRows)}
  ${declareSums(variant, 'y')}
  let first = ${firstKey(documents, columnsOf(tile))};
  ${staysStaged ? stage(tile, 'A', queries, '0u') : ''}
  for (var j0 = first; j0 < min(i0 + ${rowsOf(tile)}u, p.T); j0 += ${columnsOf(tile)}u) {
    ${product(variant, 's', staysStaged ? null : queries, qkvRows('j0', 'k0'))}
    ${softmaxOfTile(variant)}
    ${accumulate(variant, 'y', weight, qkvRows('j0', 'v0'))}
  }
  ${writeResults(variant)}
}`;
}

const forwardSource = remembered(forwardCode);

/**
 * y [B T, n_head head_dim] and lse [B, n_head, T] of packed qkv. With dropout, lse is still that of
 * the weights before dropout. Tests and benchmarks choose the tile.
 */
export function attentionKernel(
  qkv: Tensor,
  attrs: AttentionAttrs,
  options: AttentionOptions & { tile?: Tile } = {},
): Tensors<'y' | 'lse'> {
  const y = activation([attrs.B * attrs.T, columns(attrs).q]);
  const lse = output([attrs.B, attrs.n_head, attrs.T]);
  const { head_dim } = attrs;
  const variant: AttentionVariant = {
    head_dim,
    tile: options.tile ?? pickTile(attrs),
    dropout: options.drop !== undefined,
    documents: options.document_starts !== undefined,
  };
  dispatch({
    name: nameOf(options),
    code: forwardSource(variant, unitCode(widthOf(head_dim), { qkv, y })),
    writes: [y, lse],
    reads: [qkv, ...optionalReads(options)],
    params: params(attrs, options.drop),
    workgroups: [Math.ceil(attrs.T / rowsOf(variant.tile)), attrs.n_head, attrs.B],
  });
  return { y, lse };
}
