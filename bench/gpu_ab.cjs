/**
 * Compares two builds of the bench on one machine, in turn: A B A B. For changes that must not cost
 * anything.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_ab.cjs OUTDIR SECONDS DIST_A DIST_B [--rounds 5] [--tiny]
 *
 * Each round measures the training step of T, S and M in both builds, in float32 and by subgroup
 * matrices. OUTDIR/ab.json has every row; OUTDIR/ab.txt has the medians, B / A and the spread of A.
 * The exit status is 1 if a run failed, was skipped or did not use subgroup matrices (with --tiny, a
 * dry run for software adapters, it need not).
 */
const { existsSync, mkdirSync, writeFileSync } = require('fs');
const { join } = require('path');
const { parseArgs } = require('util');
const { gpuBrowser, probeOnce, runMain, SUBGROUP_FLAGS } = require('./gpu_browser.cjs');

const USAGE = 'Usage: gpu_ab.cjs OUTDIR SECONDS DIST_A DIST_B [--rounds 5] [--tiny]';
/** Values of a row that must be equal in both builds. */
const EXACT = ['dispatches', 'submits', 'gpuBytes'];
/** Time limit of one page. */
const PAGE_SECONDS = 120;
/** A page does not start with less time than this. */
const LEAST_SECONDS = 5;

/** The two kinds of run: browser flags and the page's query. */
function kindsOf({ tiny }) {
  const configs = tiny ? 'tiny' : 'T,S,M';
  const brief = tiny ? '&steps=8&seconds=4' : '&steps=1000&seconds=4';
  const query = `config=${configs}&backend=webgpu&peak=0${brief}`;
  return [
    { name: 'f32', flags: '', query },
    { name: 'subgroups', flags: SUBGROUP_FLAGS, query: `${query}&precision=fp16` },
  ];
}

/** The pages in the order in which they run. */
function runsOf({ rounds, tiny }, builds) {
  const kinds = kindsOf({ tiny });
  return Array.from({ length: Number(rounds) }, (_, i) => i + 1).flatMap((round) =>
    builds.flatMap((build) => kinds.map((kind) => ({ round, build, kind }))),
  );
}

/** Rows of one page, with the run that they belong to. */
async function measure(drive, { build, kind, round }, seconds) {
  const rows = await drive({
    launch: gpuBrowser(kind.flags),
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
function summaryOf(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = `${row.config} ${row.kind}`;
    const group = groups.get(key) ?? { A: [], B: [] };
    group[row.build].push(row);
    groups.set(key, group);
  }
  return [...groups].map(([key, { A, B }]) => `${key}: ${comparison(A, B)}`);
}

function comparison(A, B) {
  if (A.length === 0 || B.length === 0) return `${A.length} rounds of A, ${B.length} of B`;
  const [a, b] = [A, B].map((rows) => rows.map(({ ms }) => ms));
  const percent = (ratio) => ((ratio - 1) * 100).toFixed(2);
  const ratio = median(b) / median(a);
  const spread = percent(Math.max(...a) / Math.min(...a));
  const differs = EXACT.filter((name) => A[0][name] !== B[0][name]).map(
    (name) => `${name} ${A[0][name]} and ${B[0][name]}`,
  );
  return [
    `A ${median(a).toFixed(3)} ms, B ${median(b).toFixed(3)} ms (${a.length} and ${b.length} rounds)`,
    `B / A ${ratio >= 1 ? '+' : ''}${percent(ratio)} %, spread of A ${spread} %`,
    differs.length === 0 ? `same ${EXACT.join(', ')}` : `different ${differs.join(', ')}`,
  ].join('; ');
}

/** What is wrong with a row; undefined if nothing. */
function problemOf({ error, kind, subgroupMatrices, config }) {
  if (error !== undefined) return error;
  const expected = kind === 'subgroups' && config !== 'tiny';
  return expected && !subgroupMatrices ? 'Subgroup matrices were not in use.' : undefined;
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      tiny: { type: 'boolean', default: false },
    },
  });
  const [out, total, ...folders] = positionals;
  if (!out || !(Number(total) > 0) || folders.length !== 2) {
    console.error(USAGE);
    return 2;
  }
  const missing = folders.find((folder) => !existsSync(join(folder, 'bench.html')));
  if (missing) {
    console.error(`${missing} has no bench.html: build it with bench/vite.config.ts.`);
    return 2;
  }
  const { drive } = await import('./drive.mjs');
  const end = Date.now() + 1000 * Number(total);
  mkdirSync(out, { recursive: true });
  console.log(probeOnce());
  const builds = folders.map((folder, i) => ({ name: 'AB'[i], folder }));
  const rows = [];
  let skipped = 0;
  for (const run of runsOf(values, builds)) {
    const left = (end - Date.now()) / 1000;
    const name = `round ${run.round}, ${run.build.name}, ${run.kind.name}`;
    console.log(`${name}: ${left.toFixed(0)} s left`);
    if (left < LEAST_SECONDS) {
      skipped++;
      continue;
    }
    rows.push(...(await measure(drive, run, Math.min(PAGE_SECONDS, left))));
    writeFileSync(join(out, 'ab.json'), JSON.stringify(rows, null, 1));
  }
  return report(out, rows, skipped);
}

/** Prints and saves the summary; returns the exit status. */
function report(out, rows, skipped) {
  const measured = rows.filter((row) => row.error === undefined);
  const problems = rows.flatMap((row) => {
    const problem = problemOf(row);
    return problem ? [`${row.config} ${row.kind}, ${row.build} ${row.round}: ${problem}`] : [];
  });
  if (skipped > 0) problems.push(`${skipped} runs skipped: out of time.`);
  const adapters = [...new Set(measured.map(({ adapter }) => adapter))];
  const text = [...adapters, ...summaryOf(measured), ...problems].join('\n');
  console.log(text);
  writeFileSync(join(out, 'ab.txt'), `${text}\n`);
  return problems.length > 0 ? 1 : 0;
}

runMain(main);
