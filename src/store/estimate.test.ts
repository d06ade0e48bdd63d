import { expect, it } from 'vitest';
import { timeHere } from './estimate.ts';

it.each([
  [null, 'Names', 'measuring this device…'],
  [170, 'Names', 'about 3 minutes'],
  [5000, 'Names', 'about an hour'],
  [213 * 86_400, 'Names', 'too slow on this device: try Names'],
  [213 * 86_400, null, 'too slow on this device'],
])('says %s seconds in words', (seconds, faster, text) => {
  expect(timeHere(seconds, faster)).toBe(text);
});
