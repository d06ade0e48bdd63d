/** WGSL of what restricts attention beyond causality: dropout, documents and the sliding window. */
import { random } from '../wgsl/index.ts';

/**
 * `drop_row` hashes (sequence b, head h, query i), `kept` scales or drops the weight of a key.
 * `dropout` draws the same values for row ((offset + b) heads + first_head + h) T + i, column j.
 */
export const DROPOUT = `
${random}
fn drop_site() -> u32 {
  return stir(stir(stir(0x7e11a21au, u32(rng[0])), u32(rng[1])), p.site);
}
fn drop_row(site: u32, b: u32, h: u32, i: u32) -> u32 {
  return stir(site, ((u32(rng[2]) + b) * p.heads + p.first_head + h) * p.T + i);
}
fn kept(row: u32, j: u32) -> f32 { return select(p.kept, 0.0, stir(row, j) < p.threshold); }
fn kept4(rows: vec4u, j: u32) -> vec4f {
  return vec4f(kept(rows.x, j), kept(rows.y, j), kept(rows.z, j), kept(rows.w, j));
}`;

/** `document_start`: the first row of the document that row i of sequence b belongs to. */
export const DOCUMENTS = `
fn document_start(b: u32, i: u32) -> u32 {
  return u32(document_starts[b * p.T + min(i, p.T - 1u)]);
}`;

/** `rows{v}`: the dropout hashes of a thread's queries. */
export const dropRows = (v: number): string => `let rows${v} = vec4u(
    drop_row(site, b, h, is${v}.x), drop_row(site, b, h, is${v}.y),
    drop_row(site, b, h, is${v}.z), drop_row(site, b, h, is${v}.w));`;

/** `starts{v}`: the first rows of the documents of a thread's queries. */
export const documentStarts = (v: number): string => `let starts${v} = vec4u(
    document_start(b, is${v}.x), document_start(b, is${v}.y),
    document_start(b, is${v}.z), document_start(b, is${v}.w));`;

/** Which of a thread's queries attend to a key, in the kernels whose rows are queries. */
export const queriesSee = (documents: boolean, v: number, key: string): string =>
  documents
    ? `(visible4(is${v}, ${key}) & (starts${v} <= vec4u(${key})))`
    : `visible4(is${v}, ${key})`;

/** First key of the walk: that of the tile with the first key that any row from i0 on sees. */
export function firstKey(documents: boolean, columns: number): string {
  const window = 'select(0u, max(i0 + 1u, p.window) - p.window, p.window > 0u)';
  // Document starts never decrease, so the first row of the tile has the smallest one.
  const first = documents ? `max(document_start(b, i0), ${window})` : window;
  return `${first} / ${columns}u * ${columns}u`;
}
