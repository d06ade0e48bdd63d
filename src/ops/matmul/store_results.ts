/** Storing the values that a thread has accumulated, through the epilogue. */
import { type FinishRead, finishNow, finishReads, loaded } from './epilogue.ts';
import type { Operand, Operands } from './operand.ts';
import { lines, range, words } from './text.ts';
import type { Tile } from './tile.ts';
import type { Variant } from './variant.ts';

/** Rows of a thread whose values are read from memory together before any of them is stored. */
const BATCH = 4;

/** WGSL that stores the accumulators `c{i}_{j}` of a thread: row i, vec4 column j. */
export const storeResults = (tile: Tile, variant: Variant, operands: Operands): string =>
  variant.vec_c ? storeVectors(tile, variant, operands) : storeSingly(tile, variant, operands);

const rowOf = (i: number, { threads }: Operand): string =>
  `m0 + (${(i >> 2) * threads}u + ty) * 4u + ${i % 4}u`;
const columnOf = (j: number, { threads }: Operand): string => `n0 + (${j * threads}u + tx) * 4u`;

/** For an N that is not a multiple of four: one value at a time. */
function storeSingly(tile: Tile, { epilogue, float16 }: Variant, [a, b]: Operands): string {
  const storeFour = (i: number, j: number): string => `for (var e = 0u; e < 4u; e++) {
      let n = ${columnOf(j, b)} + e;
      if (n < N) {
        let i = start + m * N + n;
        ${finishNow(epilogue, float16, { i: 'i', n: 'n', value: `c${i}_${j}[e]` })};
      }
    }`;
  return lines(
    tile.TM,
    (i) => `{
    let m = ${rowOf(i, a)};
    if (m < M) { ${words(tile.TN / 4, (j) => storeFour(i, j))} }
  }`,
  );
}

/** Reads what the epilogue needs for a batch of rows, then stores the batch. */
function storeVectors(tile: Tile, variant: Variant, [a, b]: Operands): string {
  const { epilogue, float16 } = variant;
  const columns = tile.TN / 4;
  const reads = finishReads(epilogue);
  const readsOf = (index: 'i' | 'n'): FinishRead[] => reads.filter((r) => r.index === index);

  const readColumn = (j: number): string =>
    [
      `let column_${j} = ${columnOf(j, b)};`,
      ...readsOf('n').map(
        ({ name }) => `let ${name}_${j} = ${loaded(float16, name, `column_${j} >> 2u`)};`,
      ),
    ].join(' ');
  const readElement = (i: number, j: number): string =>
    [
      `let at${i}_${j} = (start + row_${i} * N + column_${j}) >> 2u;`,
      ...readsOf('i').map(
        ({ name }) => `let ${name}_${i}_${j} = ${loaded(float16, name, `at${i}_${j}`)};`,
      ),
    ].join(' ');
  const readRow = (i: number): string =>
    `let row_${i} = ${rowOf(i, a)}; ${words(columns, (j) => readElement(i, j))}`;

  const finish = (i: number, j: number): string => {
    const values = reads.map(({ name, index }) =>
      index === 'n' ? `${name}_${j}` : `${name}_${i}_${j}`,
    );
    return `finish(${[`at${i}_${j}`, `c${i}_${j}`, ...values].join(', ')});`;
  };
  const storeRow = (i: number): string =>
    inside(
      a,
      `row_${i} < M`,
      words(columns, (j) => inside(b, `column_${j} < N`, finish(i, j))),
    );

  const storeBatch = (first: number): string => {
    const rows = range(Math.min(BATCH, tile.TM - first)).map((k) => first + k);
    return `{\n${rows.map(readRow).join('\n')}\n${rows.map(storeRow).join('\n')}\n}`;
  };
  return `${lines(columns, readColumn)}\n${lines(tile.TM / BATCH, (g) => storeBatch(g * BATCH))}`;
}

/** Runs the body only inside the matrix, where the tile may reach beyond it. */
const inside = ({ edge }: Operand, condition: string, body: string): string =>
  edge ? `if (${condition}) { ${body} }` : body;
