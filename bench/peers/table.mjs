/**
 * `node bench/peers/table.mjs FILE.json ...`: one table of the rows of `npm run bench -- --json`,
 * pytorch_ladder.py, the peers and gpu_all.cjs, with the time of a step by configuration. Then our
 * matmuls next to PyTorch's, if a file has them (`npm run bench -- --matmuls --json`, or
 * `bench:ops`).
 */
import { readFileSync } from 'node:fs';
import { isStep, precisionOf } from '../table.mjs';

const CONFIGS = ['T', 'S', 'M'];

const rows = process.argv.slice(2).flatMap((file) => {
  const read = JSON.parse(readFileSync(file, 'utf8'));
  return read.entries?.flatMap((entry) => entry.rows) ?? read;
});
if (rows.length === 0) {
  console.error('Usage: node bench/peers/table.mjs FILE.json ...');
  process.exit(2);
}
printSteps();
printMachines();
CONFIGS.forEach(printMatmuls);

function cell(value, digits) {
  return typeof value === 'number' ? value.toFixed(digits) : '-';
}

/** One line per peer, backend and mode. */
function printSteps() {
  const steps = rows.filter((row) => row.mode !== undefined && isStep(row));
  const nameOf = (row) =>
    `${row.peer ?? 'terrarium'} ${row.backend} ${row.mode}${precisionOf(row)}`;
  const titles = CONFIGS.map((config) => `${config} ms | ${config} MB`);
  console.log(`| | ${titles.join(' | ')} |`);
  console.log(`|---|${CONFIGS.map(() => '---:|---:|').join('')}`);
  for (const name of new Set(steps.map(nameOf))) {
    const cells = CONFIGS.flatMap((config) => {
      const row = steps.findLast((one) => nameOf(one) === name && one.config === config);
      return [row?.error ? 'failed' : cell(row?.ms, 2), megabytes(row?.gpuBytes)];
    });
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

function megabytes(bytes) {
  return bytes ? cell(bytes / 2 ** 20, 0) : '-';
}

function printMachines() {
  const machines = rows.map(({ browser, adapter }) => `${browser ?? ''}; ${adapter ?? ''}`);
  for (const machine of new Set(machines)) console.log(`\n${machine}`);
}

/** Our matmuls of a configuration by name, in milliseconds. */
function ourMatmuls(config) {
  const operations = rows
    .filter((row) => row.op === 'matmul' && row.size === config)
    .map(({ title, ms }) => ({ title, ms }));
  const matmuls = rows
    .filter((row) => row.mode === 'matmuls' && row.config === config && row.us !== undefined)
    .map(({ matmul, us }) => ({ title: matmul, ms: us / 1000 }));
  return [...operations, ...matmuls];
}

function printMatmuls(config) {
  const pytorch = (mode) =>
    rows.findLast((row) => row.config === config && row.mode === mode)?.matmuls ?? {};
  const fp32 = pytorch('matmuls_fp32');
  const tf32 = pytorch('matmuls_tf32');
  const shared = ourMatmuls(config).filter(({ title }) => fp32[title] !== undefined);
  if (shared.length === 0) return;
  console.log(`\n| matmul of ${config} | ours, ms | PyTorch fp32 | TF32 | fp32 / ours |`);
  console.log('|---|---:|---:|---:|---:|');
  for (const { title, ms } of shared) {
    const ratio = fp32[title] / ms;
    const cells = [cell(ms, 4), cell(fp32[title], 4), cell(tf32[title], 4), cell(ratio, 2)];
    console.log(`| ${title} | ${cells.join(' | ')} |`);
  }
}
