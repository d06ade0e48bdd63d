/** Import rules: the room table of scripts/rooms.mjs, no cycles, test helpers in tests only. */
import { ROOMS } from './scripts/rooms.mjs';

const TESTS = '\\.test\\.tsx?$';

const roomRule = ({ name, imports }) => ({
  name: `room-${name}`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: [TESTS, '/testing_'] },
  to: { path: '^src/', pathNot: `^src/(${[name, 'common', ...imports].join('|')})(/|\\.)` },
});

const withRules = ROOMS.filter(({ imports }) => imports !== null);
const withoutTfjs = ROOMS.filter(({ tfjs }) => !tfjs).map(({ name }) => name);

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { path: '^src/', pathNot: `(${TESTS})|^src/testing/|/testing_` },
      to: { path: '^src/testing/' },
    },
    {
      name: 'no-tfjs-here',
      severity: 'error',
      from: { path: `^src/(${withoutTfjs.join('|')})/`, pathNot: TESTS },
      to: { path: 'node_modules/@tensorflow' },
    },
    {
      name: 'every-file-has-a-room',
      severity: 'error',
      from: {},
      to: {
        path: '^src/',
        pathNot: `^src/((${ROOMS.map(({ name }) => name).join('|')})/|(main|worker)\\.tsx?$)`,
      },
    },
    ...withRules.map(roomRule),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.wgsl'] },
  },
};
