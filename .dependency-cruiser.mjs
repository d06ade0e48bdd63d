/** Import rules: the module table of scripts/modules.mjs, no cycles, test helpers in tests only. */
import { MODULES } from './scripts/modules.mjs';

const TESTS = '\\.test\\.tsx?$';

const moduleRule = ({ name, imports }) => ({
  name: `module-${name}`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: [TESTS, '/testing_'] },
  to: { path: '^src/', pathNot: `^src/(${[name, 'common', ...imports].join('|')})(/|\\.)` },
});

const withRules = MODULES.filter(({ imports }) => imports !== null);
const withoutTfjs = MODULES.filter(({ tfjs }) => !tfjs).map(({ name }) => name);

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
      name: 'every-file-has-a-module',
      severity: 'error',
      from: {},
      to: {
        path: '^src/',
        pathNot: `^src/((${MODULES.map(({ name }) => name).join('|')})/|(main|worker)\\.tsx?$)`,
      },
    },
    ...withRules.map(moduleRule),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.wgsl'] },
  },
};
