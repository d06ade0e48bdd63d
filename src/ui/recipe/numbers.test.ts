/** Numbers as people type them. */
import { describe, expect, it } from 'vitest';
import { numberProblem, parseNumber } from './numbers.ts';

const RATE = { integer: false, min: 0, max: 10 };
const SECONDS = { integer: false, min: 0, max: 1e9 };
const STEPS = { integer: true, min: 0, max: 10_000_000 };

describe('parseNumber', () => {
  it.each([
    ['0,001', 0.001],
    ['0.001', 0.001],
    ['0,0005', 0.0005],
    ['0,5', 0.5],
    ['1e-3', 0.001],
    ['1,5e-3', 0.0015],
    ['.5', 0.5],
    [' 3 ', 3],
    // Only 1 is a rate; 1,000 is not.
    ['1,000', 1],
    ['1.000', 1],
    ['1.250', 1.25],
  ])('reads the rate %s as %d', (text, value) => {
    expect(parseNumber(text, RATE)).toBe(value);
  });

  it.each([
    ['1,000', 1000],
    ['1.000', 1000],
    ['2 500', 2500],
    ['10_000', 10_000],
    ['1,000,000', 1_000_000],
    ['1.000.000', 1_000_000],
    ['1e4', 10_000],
  ])('reads the number of steps %s as %d', (text, value) => {
    expect(parseNumber(text, STEPS)).toBe(value);
  });

  it.each([
    '1,5',
    '0,001',
    '1,00,000',
    '1.000,000',
    '1,2,3',
    '1 00',
    '0x10',
    '',
    '-',
    '1e',
    '1__0',
  ])('refuses %j as a number of steps', (text) => {
    expect(parseNumber(text, STEPS)).toBeNull();
    expect(numberProblem(text, STEPS)).toBe('0 to 10.0M, whole');
  });

  it.each(['1,000', '1.000'])('refuses %s where it can mean both', (text) => {
    expect(parseNumber(text, SECONDS)).toBeNull();
    expect(numberProblem(text, SECONDS)).toBe('Type 1 or 1000: this can mean both.');
  });

  it('never reads a decimal comma as a thousandfold', () => {
    for (const digits of ['1', '01', '001', '0001', '00001'])
      expect(parseNumber(`0,${digits}`, SECONDS)).toBe(Number(`0.${digits}`));
  });
});
