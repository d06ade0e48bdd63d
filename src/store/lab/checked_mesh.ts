/** Checks a mesh that a program outside of the page has asked for. */
import { type Mesh, ONE_RANK, worldSize } from '../../common/index.ts';

/** Each rank is a worker with a device of its own. */
export const MOST_RANKS = 8;

type Check = readonly [allows: (value: unknown) => boolean, allowed: string];

const COUNT: Check = [
  (value) => typeof value === 'number' && Number.isInteger(value) && value >= 1,
  'a whole number of at least 1',
];
const oneOf = (values: readonly unknown[]): Check => [
  (value) => values.includes(value),
  `one of ${values.join(', ')}`,
];

const CHECKS: Readonly<Record<keyof Mesh, Check>> = {
  dp: COUNT,
  tp: COUNT,
  pp: COUNT,
  zero_stage: oneOf([0, 1, 2, 3] satisfies Mesh['zero_stage'][]),
  schedule: oneOf(['gpipe', '1f1b', 'interleaved'] satisfies Mesh['schedule'][]),
  virtual_chunks: COUNT,
  sync_each_batch: oneOf([true, false, undefined]),
};

const isField = (name: string): name is keyof Mesh => Object.hasOwn(CHECKS, name);

/** The mesh with one rank along the axes that it leaves out. Throws a sentence if there is no such mesh. */
export function checkedMesh(wanted: Partial<Mesh>): Mesh {
  for (const [name, value] of Object.entries(wanted)) {
    if (!isField(name))
      throw new Error(`A mesh has no ${name}; it has ${Object.keys(CHECKS).join(', ')}.`);
    const [allows, allowed] = CHECKS[name];
    if (!allows(value)) throw new Error(`${name} of a mesh is ${allowed}, not ${String(value)}.`);
  }
  const mesh = { ...ONE_RANK, ...wanted };
  const size = worldSize(mesh);
  if (size > MOST_RANKS)
    throw new Error(
      `This mesh takes ${size} ranks, and a page has at most ${MOST_RANKS}: each is a worker with a ` +
        'device of its own. Make dp, tp or pp smaller.',
    );
  return mesh;
}
