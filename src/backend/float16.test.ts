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

it('rounds random values to the nearer of their two neighbours', () => {
  const bits = Uint32Array.from({ length: 20_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
  const values = new Float32Array(bits.buffer).filter((value) => Math.abs(value) <= 65504);
  const rounded = decodeFloat16(encodeFloat16(values));
  const wrong = values.filter((value, i) => {
    const spacing = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value) || 1e-9))) - 10);
    return !(Math.abs((rounded[i] ?? NaN) - value) <= spacing / 2);
  });
  expect([...wrong]).toEqual([]);
  expect(values.length).toBeGreaterThan(5000);
});

it('encodes values out of range, infinities and NaN as NaN, as the kernels do', () => {
  const values = [65505, -1e6, Infinity, -Infinity, NaN];
  expect([...decodeFloat16(encodeFloat16(values))]).toEqual(values.map(() => NaN));
});
