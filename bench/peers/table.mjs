/**
 * `node bench/peers/table.mjs FILE.json ...`: rows of `npm run bench --json`, of pytorch_ladder.py,
 * of the peers and of gpu_all.cjs in one table, the time of a step by configuration; then our
 * matrix products beside PyTorch's, where a file has them (`npm run bench -- --products --json`, or
 * `bench:ops`).
 */
import { readFileSync } from 'node:fs';
import { precisionOf } from '../table.mjs';

const rows = process.argv.slice(2).flatMap((file) => {
  const read = JSON.parse(readFileSync(file, 'utf8'));
  return read.entries?.flatMap((entry) => entry.rows) ?? read;
});
if (rows.length === 0) {
  console.error('Usage: node bench/peers/table.mjs FILE.json ...');
  process.exit(2);
}
const configs = ['T', 'S', 'M'];
const cell = (value, digits) => (typeof value === 'number' ? value.toFixed(digits) : '-');
const nameOf = (row) => `${row.peer ?? 'terrarium'} ${row.backend} ${row.mode}${precisionOf(row)}`;
const steps = rows.filter(
  (row) =>
    row.mode !== undefined &&
    row.op === undefined &&
    row.products === undefined &&
    row.against === undefined &&
    row.validation === undefined &&
    !['losses', 'products', 'generate', 'ops', 'search'].includes(row.mode),
);

console.log(
  `| | ${configs.map((c) => `${c} ms | ${c} MB`).join(' | ')} |\n|---|${configs.map(() => '---:|---:|').join('')}`,
);
for (const name of new Set(steps.map(nameOf))) {
  const of = (config) => steps.findLast((row) => nameOf(row) === name && row.config === config);
  const cells = configs.flatMap((c) => [
    of(c)?.error ? 'failed' : cell(of(c)?.ms, 2),
    of(c)?.gpuBytes ? cell(of(c).gpuBytes / 2 ** 20, 0) : '-',
  ]);
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}
for (const what of new Set(rows.map((row) => `${row.browser ?? ''}; ${row.adapter ?? ''}`)))
  console.log(`\n${what}`);

const ours = rows.flatMap((row) =>
  row.op === 'matmul'
    ? [{ size: row.size, title: row.title, ms: row.ms }]
    : row.against !== undefined
      ? [{ size: row.against, title: row.product, ms: row.us / 1000 }]
      : [],
);
for (const config of configs) {
  const theirs = (mode) =>
    rows.findLast((row) => row.config === config && row.mode === mode)?.products ?? {};
  const fp32 = theirs('products_fp32');
  const tf32 = theirs('products_tf32');
  const shared = ours.filter((row) => row.size === config && fp32[row.title] !== undefined);
  if (shared.length === 0) continue;
  console.log(
    `\n| product of ${config} | ours, ms | PyTorch fp32 | TF32 | fp32 / ours |\n|---|---:|---:|---:|---:|`,
  );
  for (const { title, ms } of shared)
    console.log(
      `| ${title} | ${cell(ms, 4)} | ${cell(fp32[title], 4)} | ${cell(tf32[title], 4)} | ${cell(fp32[title] / ms, 2)} |`,
    );
}
