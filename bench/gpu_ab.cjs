/**
 * Two builds of the bench against each other on one machine, in turn: A B A B. For changes that
 * must cost nothing.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_ab.cjs OUTDIR SECONDS DIST_A DIST_B [--rounds 5] [--tiny]
 *
 * Each round runs the training step of T, S and M in f32 and by subgroup matrices in both builds.
 * OUTDIR/ab.json has every row, OUTDIR/ab.txt the medians, B / A, and the spread of A against A.
 */
const { mkdirSync, writeFileSync } = require('fs');
const { join } = require('path');
const { parseArgs } = require('util');
const { gpuBrowser, runMain } = require('./gpu_browser.cjs');

const SUBGROUPS = '--enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis';
const EXACT = ['dispatches', 'submits', 'gpuBytes'];

/** The two kinds of run: browser flags and the page's query. */
function kindsOf({ tiny }) {
  const configs = tiny ? 'tiny' : 'T,S,M';
  const brief = tiny ? '&steps=8&seconds=4' : '&steps=200&seconds=8';
  const query = `config=${configs}&backend=webgpu&peak=0${brief}`;
  return [
    { name: 'f32', flags: '', query },
    { name: 'subgroups', flags: SUBGROUPS, query: `${query}&precision=fp16` },
  ];
}

/** Rows of one page, with what they belong to. */
async function measure({ drive, build, kind, round, seconds }) {
  const flags = [process.env.EXTRA_FLAGS, kind.flags].filter(Boolean).join(' ');
  const rows = await drive({
    launch: gpuBrowser(flags),
    folder: build.folder,
    queries: [kind.query],
    seconds,
    log: () => undefined,
  });
  return rows.map((row) => ({ ...row, build: build.name, kind: kind.name, round }));
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(half)];
  return (sorted[half - 1] + sorted[half]) / 2;
};

/** One line per configuration and kind. */
function table(rows) {
  const lines = [];
  const keys = [...new Set(rows.map(({ config, kind }) => `${config} ${kind}`))];
  for (const key of keys) {
    const of = (build) => rows.filter((r) => `${r.config} ${r.kind}` === key && r.build === build);
    const [a, b] = [of('A'), of('B')].map((group) => group.map(({ ms }) => ms));
    const spread = (Math.max(...a) / Math.min(...a) - 1) * 100;
    const ratio = (median(b) / median(a) - 1) * 100;
    const same = EXACT.filter((name) => of('A')[0]?.[name] === of('B')[0]?.[name]);
    const differs = EXACT.filter((name) => !same.includes(name)).map(
      (name) => `${name} ${of('A')[0]?.[name]} and ${of('B')[0]?.[name]}`,
    );
    lines.push(
      [
        `${key}: A ${median(a).toFixed(3)} ms, B ${median(b).toFixed(3)} ms`,
        `B / A ${ratio >= 0 ? '+' : ''}${ratio.toFixed(2)} %, spread of A ${spread.toFixed(2)} %`,
        differs.length === 0 ? `same ${EXACT.join(', ')}` : `differ: ${differs.join(', ')}`,
      ].join('; '),
    );
  }
  return lines.join('\n');
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      tiny: { type: 'boolean', default: false },
    },
  });
  const [out, total, folderA, folderB] = positionals;
  if (!out || !(Number(total) > 0) || !folderA || !folderB) {
    console.error('Usage: gpu_ab.cjs OUTDIR SECONDS DIST_A DIST_B [--rounds 5] [--tiny]');
    return 2;
  }
  const { drive } = await import('./drive.mjs');
  mkdirSync(out, { recursive: true });
  const end = Date.now() + 1000 * Number(total);
  const builds = [
    { name: 'A', folder: folderA },
    { name: 'B', folder: folderB },
  ];
  const rows = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const build of builds) {
      for (const kind of kindsOf(values)) {
        const seconds = Math.min(120, (end - Date.now()) / 1000);
        if (seconds < 5) break;
        rows.push(...(await measure({ drive, build, kind, round, seconds })));
        writeFileSync(join(out, 'ab.json'), JSON.stringify(rows, null, 1));
      }
    }
    console.log(`round ${round}, ${((end - Date.now()) / 1000).toFixed(0)} s left`);
  }
  const measured = rows.filter((row) => row.error === undefined);
  const failed = rows.filter((row) => row.error !== undefined);
  const lines = failed.map((row) => `${row.build} ${row.kind} ${row.round}: ${row.error}`);
  const text = [table(measured), ...lines].join('\n');
  console.log(text);
  writeFileSync(join(out, 'ab.txt'), `${text}\n`);
  return failed.length > 0 ? 1 : 0;
}

runMain(main);
