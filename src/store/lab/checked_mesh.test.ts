import { expect, test } from 'vitest';
import { type Mesh, ONE_RANK } from '../../common/index.ts';
import { checkedMesh } from './checked_mesh.ts';

/** A mesh as a command line gives it. */
const parsed = (json: string): Partial<Mesh> => JSON.parse(json) as Partial<Mesh>;

test('a mesh has one rank along the axes that it leaves out', () => {
  expect(checkedMesh({ dp: 2, tp: 2 })).toEqual({ ...ONE_RANK, dp: 2, tp: 2 });
});

test.each([
  ['{"dp":0}', 'dp of a mesh is a whole number of at least 1, not 0.'],
  ['{"tp":1.5}', 'tp of a mesh is a whole number of at least 1, not 1.5.'],
  ['{"dp":2,"zero_stage":7}', 'zero_stage of a mesh is one of 0, 1, 2, 3, not 7.'],
  [
    '{"pp":2,"schedule":"zigzag"}',
    'schedule of a mesh is one of gpipe, 1f1b, interleaved, not zigzag.',
  ],
  ['{"cp":2}', 'A mesh has no cp; it has dp, tp'],
  ['{"dp":99}', 'This mesh takes 99 ranks, and a page has at most 8'],
])('the mesh %s is refused in a sentence', (json, sentence) => {
  expect(() => checkedMesh(parsed(json))).toThrow(sentence);
});
