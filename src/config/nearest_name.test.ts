import { describe, expect, it } from 'vitest';
import { nearestName } from './nearest_name.ts';

const KNOWN = ['model.n_layer', 'model.n_head', 'training.seed'];

describe('nearestName', () => {
  it.each([
    ['model.n_layers', 'model.n_layer'],
    ['n_layr', 'model.n_layer'],
    ['sed', 'training.seed'],
    ['model.x', undefined],
    ['seed.'.padEnd(200, 'x'), undefined],
  ])('of %s is %s', (key, expected) => {
    expect(nearestName(key, KNOWN)).toBe(expected);
  });
});
