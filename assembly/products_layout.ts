/** What a tile of C needs besides the addresses of its panels: strides, addend and bias. */
import { splat } from './inlined/simd';

/** Bytes between two steps of K in the panel of B. */
export let stepOfB: usize = 0;
/** Bytes between two rows of the tile where it is stored. */
export let strideOfC: usize = 0;
/** Whether the values at `addendShift` bytes from the tile's are added. */
export let hasAddend: bool = false;
export let addendShift: usize = 0;
/** What the sums of the columns start with. */
export let bias0: v128 = splat(0);
export let bias1: v128 = splat(0);

export function setStepOfB(bytes: usize): void {
  stepOfB = bytes;
}

export function setStrideOfC(bytes: usize): void {
  strideOfC = bytes;
}

/** The tile is stored as it is. */
export function addNothing(): void {
  hasAddend = false;
}

/** The values at `shift` bytes from the tile's are added to it. */
export function addValuesAt(shift: usize): void {
  hasAddend = true;
  addendShift = shift;
}

export function setBias(low: v128, high: v128): void {
  bias0 = low;
  bias1 = high;
}
