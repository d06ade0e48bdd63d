/** The table of rooms (docs/ARCHITECTURE.md): who may import whom. A cycle is an error too. */
const room = (name, may) => ({
  name: `room-${name}`,
  severity: 'error',
  from: { path: `^src/${name}/`, pathNot: '\\.test\\.tsx?$' },
  to: { path: '^src/', pathNot: `^src/(${[name, 'common', ...may].join('|')})(/|\\.)` },
});
const noTfjs = ['config', 'plan', 'run', 'data', 'protocol', 'store', 'ui', 'checkpoint'];
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'testing-is-for-tests',
      severity: 'error',
      from: { path: '^src/', pathNot: '(\\.test\\.tsx?$)|^src/testing/' },
      to: { path: '^src/testing/' },
    },
    {
      name: 'no-tfjs-here',
      severity: 'error',
      from: { path: `^src/(${noTfjs.join('|')})/`, pathNot: '\\.test\\.tsx?$' },
      to: { path: 'node_modules/@tensorflow' },
    },
    room('common', []),
    room('config', []),
    room('plan', ['config']),
    room('run', ['config', 'plan']),
    room('data', ['config']),
    room('backend', ['config']),
    room('ops', ['backend']),
    room('model', ['config', 'ops', 'backend']),
    room('optim', ['config', 'ops', 'backend']),
    room('objectives', ['config', 'data', 'model', 'ops']),
    room('train', [
      'config',
      'plan',
      'run',
      'data',
      'model',
      'optim',
      'objectives',
      'backend',
      'checkpoint',
    ]),
    room('checkpoint', ['config', 'model', 'data']),
    room('protocol', ['config']),
    room('store', ['protocol', 'config']),
    room('ui', ['store', 'config', 'plan', 'run']),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.wgsl'] },
  },
};
