/** Helpers for assembling generated WGSL. */

/** 0 .. n-1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The pieces for 0 .. n-1, one a line. */
export const lines = (n: number, piece: (i: number) => string): string =>
  range(n).map(piece).join('\n');

/** The pieces for 0 .. n-1 on one line. */
export const words = (n: number, piece: (i: number) => string): string =>
  range(n).map(piece).join(' ');

/** Name of component i mod 4 of a vec4. */
export const component = (i: number): string => 'xyzw'.charAt(i % 4);
