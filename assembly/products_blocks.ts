/** Multiplies packed panels of A and B, tile by tile. */
import { addressOf } from './inlined/args';
import { splat } from './inlined/simd';
import {
  activateEdge,
  activateTile,
  chooseAddend,
  hasActivation,
  storeEdge,
} from './products_epilogue';
import { addNothing, setBias, setStepOfB, setStrideOfC } from './products_layout';
import {
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
  steps,
  TILE_COLUMNS,
  TILE_ROWS,
} from './products_state';
import { tile4x4, tile4x8, tile6x4, tile6x8 } from './products_tiles';
import { scratch, scratchBytes } from './threads';

/** One tile and one part of the bias are kept at the end of the scratch memory. */
function asideForTile(): usize {
  return scratch() + <usize>(scratchBytes() - 512);
}

function asideForBias(): usize {
  return scratch() + <usize>(scratchBytes() - 64);
}

/** The panel of B, and the columns of C that belong to it. */
let panelOfB: usize = 0;
let column: i32 = 0;
let width: i32 = 0;
/** Whether these steps of K are the last, and an activation or a derivative follows. */
let finishes: bool = false;

/**
 * Adds the chosen steps of K to the chosen rows and columns of C. The first steps of K start from the
 * bias and the residual; the last are followed by the activation. All panels of A are multiplied by
 * one panel of B before the next, so that the panel of B stays in the cache.
 */
export function multiplyPanels(a: usize, b: usize): void {
  finishes = firstStep + steps == K && hasActivation();
  setStrideOfC(addressOf(0, N));
  chooseAddend(firstStep == 0);
  for (column = firstColumn; column < endColumn; column += TILE_COLUMNS) {
    width = min(TILE_COLUMNS, N - column);
    panelOfB = addressOf(b, (column - firstColumn) * steps);
    setStepOfB(width > 4 ? 32 : 16);
    startWithBias();
    multiplyRows(a);
  }
}

/** Starts the sums with the bias of these columns in the first steps of K, later with zero. */
function startWithBias(): void {
  if (!bias || firstStep > 0) {
    setBias(splat(0), splat(0));
    return;
  }
  let address = addressOf(bias, column);
  if (width < TILE_COLUMNS) {
    memory.copy(asideForBias(), address, addressOf(0, width));
    address = asideForBias();
  }
  setBias(v128.load(address), v128.load(address, 16));
}

/** Multiplies all panels of A by the panel of B. */
function multiplyRows(a: usize): void {
  const b = panelOfB;
  const nextPanel = addressOf(0, TILE_ROWS * steps);
  const nextTile = addressOf(0, TILE_ROWS * N);
  let c = addressOf(C, firstRow * N + column);
  let row = firstRow;
  if (width == TILE_COLUMNS) {
    for (; row + TILE_ROWS <= endRow; row += TILE_ROWS) {
      if (TILE_ROWS == 6) tile6x8(steps, a, b, c);
      else tile4x8(steps, a, b, c);
      if (finishes) activateTile(c, TILE_ROWS, TILE_COLUMNS);
      a += nextPanel;
      c += nextTile;
    }
  }
  for (; row < endRow; row += TILE_ROWS) {
    multiplyTile(a, c, min(TILE_ROWS, M - row));
    a += nextPanel;
    c += nextTile;
  }
}

/** Computes one tile, of which `height` rows lie in C. */
function multiplyTile(a: usize, c: usize, height: i32): void {
  if ((height == TILE_ROWS || height == 4) && width % 4 == 0) {
    runTile(a, c, height);
    if (finishes) activateTile(c, height, width);
    return;
  }
  // Some values lie outside of C, so the tile is computed aside, without the addend.
  const aside = asideForTile();
  setStrideOfC(32);
  addNothing();
  runTile(a, aside, height);
  setStrideOfC(addressOf(0, N));
  chooseAddend(firstStep == 0);
  storeEdge(aside, c, height, width);
  if (finishes) activateEdge(c, height, width);
}

function runTile(a: usize, c: usize, height: i32): void {
  const isWide = width > 4;
  if (TILE_ROWS == 6 && height > 4) {
    if (isWide) tile6x8(steps, a, panelOfB, c);
    else tile6x4(steps, a, panelOfB, c);
  } else if (isWide) {
    tile4x8(steps, a, panelOfB, c);
  } else {
    tile4x4(steps, a, panelOfB, c);
  }
}
