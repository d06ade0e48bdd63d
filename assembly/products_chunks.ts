/**
 * How a product is divided into chunks that threads claim, and which parts of A and B are packed
 * when (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
 *
 * One operand is the slab: a thread packs many of its rows (of A) or columns (of B) at once and
 * keeps them for all chunks that need them. The other operand is packed by each chunk, as much as it
 * needs. K is divided into blocks, which are added to C in order.
 */
import { addressOf } from './inlined/args';
import { multiplyPanels } from './products_blocks';
import { packColumns, packRows } from './products_packing';
import {
  chooseColumns,
  chooseRows,
  chooseSteps,
  endColumn,
  endRow,
  firstColumn,
  firstRow,
  K,
  M,
  N,
  TILE_COLUMNS,
  TILE_ROWS,
} from './products_state';
import { barrier, claim, scratch } from './threads';

/** The most steps of K in a block: panels of A and B then fit in the first-level cache. */
const MAX_STEPS: i32 = 512;
/** The most rows of A, or columns of B, in a slab. */
const MAX_SLAB_ROWS: i32 = 192;
const MAX_SLAB_COLUMNS: i32 = 512;
/** The most rows or columns of the other operand in a chunk. */
const MAX_CHUNK: i32 = 128;
/** Floats of a slab. */
const SLAB: i32 = 1 << 19;
/** Address of the other operand's panels in the scratch memory. */
const OTHER_AT: usize = (<usize>SLAB) << 2;
/** Multiply-adds of a chunk: about 20 microseconds. */
const CHUNK_WORK: f32 = 500_000;
const SMALL_CHUNK_WORK: f32 = 50_000;

/** Whether the slabs are columns of B, and chunks divide the rows of A; otherwise the reverse. */
let slabOfB: bool = false;
/** Number of slabs, and chunks of each. */
let slabs: i32 = 0;
let parts: i32 = 0;
/** Steps of K in a block, except the last. */
let stepsOfBlock: i32 = 0;
/** Steps of K for which a slab holds panels. */
let stepsOfSlab: i32 = 0;
/** Index of the slab that this thread has packed; -1 if none. */
let packedSlab: i32 = -1;

/** Computes the product with tiles. */
export function multiplyInTiles(): void {
  plan();
  for (let first = 0; first < K; first += stepsOfSlab) {
    packedSlab = -1;
    const end = min(K, first + stepsOfSlab);
    for (let chunk = claim(); chunk < slabs * parts; chunk = claim())
      multiplyChunk(chunk, first, end);
    // The next steps are added to values of C that another thread may have stored.
    if (end < K) barrier();
  }
}

function ceilDivide(n: i32, divisor: i32): i32 {
  return (n + divisor - 1) / divisor;
}

function plan(): void {
  const slabsOfA = ceilDivide(M, MAX_SLAB_ROWS);
  const slabsOfB = ceilDivide(N, MAX_SLAB_COLUMNS);
  // Values that are packed, divided by K, if two threads work: each thread packs all slabs, and the
  // other operand is packed once for every slab. The choice must not depend on the real number.
  const a = <f32>M;
  const b = <f32>N;
  slabOfB = a * <f32>slabsOfB + 2 * b <= b * <f32>slabsOfA + 2 * a;
  slabs = slabOfB ? slabsOfB : slabsOfA;
  parts = slabOfB
    ? partsOf(ceilDivide(M, TILE_ROWS), MAX_CHUNK / TILE_ROWS)
    : partsOf(ceilDivide(N, TILE_COLUMNS), MAX_CHUNK / TILE_COLUMNS);
  const blocks = ceilDivide(K, MAX_STEPS);
  stepsOfBlock = (ceilDivide(K, blocks) + 3) & ~3;
  const widthOfSlab = slabOfB ? widthOf(N, slabs, TILE_COLUMNS) : widthOf(M, slabs, TILE_ROWS);
  stepsOfSlab = max(1, SLAB / widthOfSlab / stepsOfBlock) * stepsOfBlock;
}

/** The most rows or columns of a slab, in whole panels. */
function widthOf(size: i32, count: i32, panel: i32): i32 {
  return ceilDivide(ceilDivide(size, panel), count) * panel;
}

/** Into how many chunks the `panels` of a slab's other operand are divided. */
function partsOf(panels: i32, mostPanels: i32): i32 {
  const work = (<f32>M * <f32>N * <f32>K) / <f32>slabs;
  const wanted = min(work / CHUNK_WORK, <f32>max(16, panels / 4));
  const least = min(work / SMALL_CHUNK_WORK, 8);
  // A multiple of eight divides well among threads.
  let count = <i32>max(wanted, least);
  if (count > 8) count = (count + 7) & ~7;
  return min(panels, max(max(1, count), ceilDivide(panels, mostPanels)));
}

/** Begin of part `index` of `count`, in whole panels. */
function beginOf(index: i32, count: i32, size: i32, panel: i32): i32 {
  const panels = ceilDivide(size, panel);
  return min(size, ((index * panels) / count) * panel);
}

function multiplyChunk(chunk: i32, first: i32, end: i32): void {
  const slab = chunk / parts;
  const part = chunk % parts;
  const rows = slabOfB ? parts : slabs;
  const columns = slabOfB ? slabs : parts;
  const row = slabOfB ? part : slab;
  const column = slabOfB ? slab : part;
  chooseRows(beginOf(row, rows, M, TILE_ROWS), beginOf(row + 1, rows, M, TILE_ROWS));
  chooseColumns(
    beginOf(column, columns, N, TILE_COLUMNS),
    beginOf(column + 1, columns, N, TILE_COLUMNS),
  );
  for (let step = first; step < end; step += stepsOfBlock) {
    chooseSteps(step, min(stepsOfBlock, K - step));
    multiplyBlock(slab, step - first);
  }
  packedSlab = slab;
}

/** Packs what is not packed yet of the chosen rows, columns and steps, and multiplies it. */
function multiplyBlock(slab: i32, stepInSlab: i32): void {
  const other = scratch() + OTHER_AT;
  if (slabOfB) {
    const width = (endColumn - firstColumn + TILE_COLUMNS - 1) & ~(TILE_COLUMNS - 1);
    const panels = addressOf(scratch(), stepInSlab * width);
    if (slab != packedSlab) packColumns(panels, firstColumn, endColumn);
    packRows(other, firstRow, endRow);
    multiplyPanels(other, panels);
  } else {
    const width = ceilDivide(endRow - firstRow, TILE_ROWS) * TILE_ROWS;
    const panels = addressOf(scratch(), stepInSlab * width);
    if (slab != packedSlab) packRows(panels, firstRow, endRow);
    packColumns(other, firstColumn, endColumn);
    multiplyPanels(panels, other);
  }
}
