import { expect, it } from 'vitest';
import { decodeFloat16, encodeFloat16 } from './float16.ts';

const allBits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);

it('encodes every finite float16 value to its own bits', () => {
  const finite = allBits.filter((bits) => (bits & 0x7c00) !== 0x7c00);
  expect(encodeFloat16(decodeFloat16(finite))).toEqual(finite);
});

it('rounds to the nearest value, and ties to even', () => {
  const values = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 2047.6, 2 ** -25, 1.5 * 2 ** -24, -0.1];
  const expected = [1, 1 + 2 ** -9, 2048, 0, 2 ** -23, -0.0999755859375];
  expect([...decodeFloat16(encodeFloat16(values))]).toEqual(expected);
});

it('encodes values out of range, infinities and NaN as NaN, as the kernels do', () => {
  const values = [65505, -1e6, Infinity, -Infinity, NaN];
  expect([...decodeFloat16(encodeFloat16(values))]).toEqual(values.map(() => NaN));
});
