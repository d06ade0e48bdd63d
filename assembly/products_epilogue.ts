/** Finishes tiles of C: those at the edges of C, and activations. */
import { addressOf } from './inlined/args';
import { activate4, activateEight, derivative4, deriveEight } from './inlined/epilogue';
import { splat } from './inlined/simd';
import { storeFour } from './inlined/tile_rows';
import { addendShift, addNothing, addValuesAt, hasAddend, strideOfC } from './products_layout';
import {
  accumulates,
  activated,
  activation,
  before,
  C,
  residual,
  TILE_COLUMNS,
} from './products_state';

/** Chooses what is added to a tile: C itself, or the residual to the first sums over K. */
export function chooseAddend(isFirst: bool): void {
  if (!isFirst || accumulates) addValuesAt(0);
  else if (residual) addValuesAt(residual - C);
  else addNothing();
}

/** Whether an activation or a derivative follows. */
export function hasActivation(): bool {
  return (activated | before) != 0;
}

/** Applies the activation to a tile that lies in C. */
export function activateTile(c: usize, height: i32, width: i32): void {
  if (width < TILE_COLUMNS) activateEdge(c, height, width);
  else if (activated) activateRows(c, height, activated - C);
  else deriveRows(c, height, before - C);
}

function activateRows(c: usize, height: i32, shift: usize): void {
  if (activation == 0) activateEight(0, c, height, shift);
  else if (activation == 1) activateEight(1, c, height, shift);
  else if (activation == 2) activateEight(2, c, height, shift);
  else activateEight(3, c, height, shift);
}

function deriveRows(c: usize, height: i32, shift: usize): void {
  if (activation == 0) deriveEight(0, c, height, shift);
  else if (activation == 1) deriveEight(1, c, height, shift);
  else if (activation == 2) deriveEight(2, c, height, shift);
  else deriveEight(3, c, height, shift);
}

/** `activateTile` for tiles that are narrower than eight columns, and for rows of any width. */
export function activateEdge(c: usize, height: i32, width: i32): void {
  for (let row = 0; row < height; row++) {
    let i = 0;
    for (; i + 4 <= width; i += 4) activateFour(addressOf(c, i));
    for (; i < width; i++) activateOne(addressOf(c, i));
    c += strideOfC;
  }
}

function activateFour(c: usize): void {
  const value = v128.load(c);
  if (activated) v128.store(c + (activated - C), activate4(activation, value));
  else v128.store(c, f32x4.mul(value, derivative4(activation, v128.load(c + (before - C)))));
}

function activateOne(c: usize): void {
  const value = load<f32>(c);
  if (activated) {
    const result = activate4(activation, splat(value));
    store<f32>(c + (activated - C), f32x4.extract_lane(result, 0));
  } else {
    const slope = derivative4(activation, splat(load<f32>(c + (before - C))));
    store<f32>(c, value * f32x4.extract_lane(slope, 0));
  }
}

/** Copies the part of a tile that lies in C, and adds the addend. */
export function storeEdge(tile: usize, c: usize, height: i32, width: i32): void {
  for (let row = 0; row < height; row++) {
    let i = 0;
    for (; i + 4 <= width; i += 4) storeFour(addressOf(c, i), v128.load(addressOf(tile, i)));
    for (; i < width; i++) {
      const to = addressOf(c, i);
      const value = load<f32>(addressOf(tile, i));
      store<f32>(to, hasAddend ? value + load<f32>(to + addendShift) : value);
    }
    tile += 32;
    c += strideOfC;
  }
}
