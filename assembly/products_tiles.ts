/**
 * Computes tiles of C, whose sums are held in registers while a panel of A is multiplied by a panel
 * of B. Six rows by eight columns take twelve of the sixteen registers of x64, which leaves room for
 * a fused multiply-add but not for a product and a sum.
 */
import { fma } from './inlined/simd';
import { storeEight, storeFour } from './inlined/tile_rows';
import { bias0, bias1, stepOfB, strideOfC } from './products_layout';

/** A tile of 6 x 8. */
export function tile6x8(count: i32, a: usize, b: usize, c: usize): void {
  const next = stepOfB;
  let c00 = bias0;
  let c01 = bias1;
  let c10 = c00;
  let c11 = c01;
  let c20 = c00;
  let c21 = c01;
  let c30 = c00;
  let c31 = c01;
  let c40 = c00;
  let c41 = c01;
  let c50 = c00;
  let c51 = c01;
  for (; count > 0; count--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = fma(x, b0, c00);
    c01 = fma(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = fma(x, b0, c10);
    c11 = fma(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = fma(x, b0, c20);
    c21 = fma(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = fma(x, b0, c30);
    c31 = fma(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = fma(x, b0, c40);
    c41 = fma(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = fma(x, b0, c50);
    c51 = fma(x, b1, c51);
    a += 24;
    b += next;
  }
  storeEight(c, c00, c01);
  c += strideOfC;
  storeEight(c, c10, c11);
  c += strideOfC;
  storeEight(c, c20, c21);
  c += strideOfC;
  storeEight(c, c30, c31);
  c += strideOfC;
  storeEight(c, c40, c41);
  c += strideOfC;
  storeEight(c, c50, c51);
}

/** A tile of 6 x 4. */
export function tile6x4(count: i32, a: usize, b: usize, c: usize): void {
  const next = stepOfB;
  let c00 = bias0;
  let c10 = c00;
  let c20 = c00;
  let c30 = c00;
  let c40 = c00;
  let c50 = c00;
  for (; count > 0; count--) {
    const b0 = v128.load(b);
    let x = v128.load32_splat(a);
    c00 = fma(x, b0, c00);
    x = v128.load32_splat(a, 4);
    c10 = fma(x, b0, c10);
    x = v128.load32_splat(a, 8);
    c20 = fma(x, b0, c20);
    x = v128.load32_splat(a, 12);
    c30 = fma(x, b0, c30);
    x = v128.load32_splat(a, 16);
    c40 = fma(x, b0, c40);
    x = v128.load32_splat(a, 20);
    c50 = fma(x, b0, c50);
    a += 24;
    b += next;
  }
  storeFour(c, c00);
  c += strideOfC;
  storeFour(c, c10);
  c += strideOfC;
  storeFour(c, c20);
  c += strideOfC;
  storeFour(c, c30);
  c += strideOfC;
  storeFour(c, c40);
  c += strideOfC;
  storeFour(c, c50);
}

/** A tile of 4 x 8. */
export function tile4x8(count: i32, a: usize, b: usize, c: usize): void {
  const next = stepOfB;
  let c00 = bias0;
  let c01 = bias1;
  let c10 = c00;
  let c11 = c01;
  let c20 = c00;
  let c21 = c01;
  let c30 = c00;
  let c31 = c01;
  for (; count > 0; count--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = fma(x, b0, c00);
    c01 = fma(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = fma(x, b0, c10);
    c11 = fma(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = fma(x, b0, c20);
    c21 = fma(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = fma(x, b0, c30);
    c31 = fma(x, b1, c31);
    a += 16;
    b += next;
  }
  storeEight(c, c00, c01);
  c += strideOfC;
  storeEight(c, c10, c11);
  c += strideOfC;
  storeEight(c, c20, c21);
  c += strideOfC;
  storeEight(c, c30, c31);
}

/** A tile of 4 x 4. */
export function tile4x4(count: i32, a: usize, b: usize, c: usize): void {
  const next = stepOfB;
  let c00 = bias0;
  let c10 = c00;
  let c20 = c00;
  let c30 = c00;
  for (; count > 0; count--) {
    const b0 = v128.load(b);
    let x = v128.load32_splat(a);
    c00 = fma(x, b0, c00);
    x = v128.load32_splat(a, 4);
    c10 = fma(x, b0, c10);
    x = v128.load32_splat(a, 8);
    c20 = fma(x, b0, c20);
    x = v128.load32_splat(a, 12);
    c30 = fma(x, b0, c30);
    a += 16;
    b += next;
  }
  storeFour(c, c00);
  c += strideOfC;
  storeFour(c, c10);
  c += strideOfC;
  storeFour(c, c20);
  c += strideOfC;
  storeFour(c, c30);
}
