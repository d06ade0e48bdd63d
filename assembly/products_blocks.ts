/** Multiplies packed panels of A and B, tile by tile. */
import { addressOf } from './inlined/args';
import { splat } from './inlined/simd';
import { activateEdge, activateTile, hasActivation, storeEdge } from './products_epilogue';
import {
  addNothing,
  addValuesAt,
  hasAddend,
  setBias,
  setStepOfB,
  setStrideOfC,
} from './products_layout';
import {
  accumulates,
  bias,
  C,
  endColumn,
  endRow,
  firstColumn,
  firstRow,
  firstStep,
  K,
  M,
  N,
  residual,
  steps,
  TILE_COLUMNS,
  TILE_ROWS,
} from './products_state';
import { tile4x4, tile4x8, tile6x4, tile6x8 } from './products_tiles';
import { scratch } from './threads';

/** One tile and one part of the bias, at the end of the scratch memory. */
const TILE_AT: usize = (4 << 20) - 512;
const BIAS_AT: usize = (4 << 20) - 64;

/** Where the panels are. */
let panelsOfA: usize = 0;
let panelsOfB: usize = 0;

/**
 * Adds the chosen steps of K to the chosen rows and columns of C, which begins them with the first
 * steps and finishes them with the last. `columnsFirst`: every panel of A is used for one panel of B
 * before the next, which keeps that panel of B in the cache; otherwise the other way around.
 */
export function multiplyPanels(a: usize, b: usize, columnsFirst: bool): void {
  panelsOfA = a;
  panelsOfB = b;
  setStrideOfC(addressOf(0, N));
  chooseAddend();
  if (columnsFirst) {
    for (let column = firstColumn; column < endColumn; column += TILE_COLUMNS)
      for (let row = firstRow; row < endRow; row += TILE_ROWS) computeTile(row, column);
  } else {
    for (let row = firstRow; row < endRow; row += TILE_ROWS)
      for (let column = firstColumn; column < endColumn; column += TILE_COLUMNS)
        computeTile(row, column);
  }
}

function chooseAddend(): void {
  if (firstStep > 0 || accumulates) addValuesAt(0);
  else if (residual) addValuesAt(residual - C);
  else addNothing();
}

function computeTile(row: i32, column: i32): void {
  const height = min(TILE_ROWS, M - row);
  const width = min(TILE_COLUMNS, N - column);
  const c = addressOf(C, row * N + column);
  const isLast = firstStep + steps == K;
  startWithBias(column, width);
  if ((height == TILE_ROWS || height == 4) && (width == TILE_COLUMNS || width == 4)) {
    runTile(row, column, c);
    if (isLast && hasActivation()) activateTile(c, height, width);
  } else {
    runEdge(row, column);
    storeEdge(scratch() + TILE_AT, c, height, width);
    if (isLast && hasActivation()) activateEdge(c, height, width);
  }
}

/** Starts the sums with the bias of these columns in the first steps of K, later with zero. */
function startWithBias(column: i32, width: i32): void {
  if (!bias || firstStep > 0) {
    setBias(splat(0), splat(0));
    return;
  }
  let address = addressOf(bias, column);
  if (width < TILE_COLUMNS) {
    memory.copy(scratch() + BIAS_AT, address, addressOf(0, width));
    address = scratch() + BIAS_AT;
  }
  setBias(v128.load(address), v128.load(address, 16));
}

function runTile(row: i32, column: i32, c: usize): void {
  const a = addressOf(panelsOfA, (row - firstRow) * steps);
  const b = addressOf(panelsOfB, (column - firstColumn) * steps);
  const isWide = N - column > 4;
  setStepOfB(isWide ? 32 : 16);
  if (TILE_ROWS == 6 && M - row > 4) {
    if (isWide) tile6x8(steps, a, b, c);
    else tile6x4(steps, a, b, c);
  } else if (isWide) {
    tile4x8(steps, a, b, c);
  } else {
    tile4x4(steps, a, b, c);
  }
}

/** Computes a tile at the edge of C aside, without the addend. */
function runEdge(row: i32, column: i32): void {
  const hadAddend = hasAddend;
  setStrideOfC(32);
  addNothing();
  runTile(row, column, scratch() + TILE_AT);
  setStrideOfC(addressOf(0, N));
  if (hadAddend) chooseAddend();
}
