/** Rows of the bench as text tables. */
import { number, short, textTable } from './text_table.mjs';

/** What a row adds to its mode: nothing for float32. */
export function precisionOf(row) {
  if (row.precision !== 'fp16') return '';
  return row.subgroupMatrices ? ', fp16 by subgroup matrices' : ', fp16';
}

/** Rows of earlier versions have `checkpointing`, which was full. */
const recomputes = (row) => row.checkpointing || (row.recompute ?? 'none') !== 'none';

function modeOf(row) {
  const words = [(row.peer ? `${row.peer} ${row.mode}` : row.mode) + precisionOf(row)];
  if (row.lora) words.push(`LoRA ${row.lora}`);
  if (recomputes(row)) words.push(`${row.recompute ?? 'full'} recomputation`);
  if (row.unfinished) words.push('unfinished');
  return words.join(', ');
}

function megabytes(bytes) {
  if (typeof bytes !== 'number') return '-';
  return bytes < 2 ** 20 ? '<1' : number(bytes / 2 ** 20, 0);
}

/** One line per configuration, backend and mode. */
export function stepTable(rows) {
  const columns = [
    ['config', (r) => r.config],
    ['backend', (r) => r.backend],
    ['mode', (r) => (r.error === undefined ? modeOf(r) : r.mode)],
    ['ms', (r) => number(r.ms, 3)],
    ['mean', (r) => number(r.meanMs, 3)],
    ['steps', (r) => r.steps],
    ['tokens/s', (r) => number(r.tokensPerSec, 0)],
    ['dispatches', (r) => number(r.dispatches, 0)],
    ['submits', (r) => number(r.submits, 1)],
    ['encode ms', (r) => number(r.encodeMs, 3)],
    ['host ms', (r) => number(r.hostMs, 3)],
    ['programs ms', (r) => number(r.programsMs, 3)],
    ['GPU MB', (r) => megabytes(r.gpuBytes)],
    ['peak MB', (r) => megabytes(r.gpuPeakBytes)],
    ['GFLOP/s', (r) => short(r.gflops)],
    ['of peak', (r) => (typeof r.peakShare === 'number' ? percent(r.peakShare) : '-')],
    ['peak TFLOP/s', (r) => (r.peakTflops ? `${short(r.peakTflops)} at ${r.peakSize}` : '-')],
    ['first loss ms', (r) => number(r.firstLossMs, 0)],
  ];
  return textTable(rows, columns, 3);
}

const percent = (share) => `${number(100 * share, 1)} %`;

const WAYS = [
  ['webgpu', 'replay', 'replayed'],
  ['webgpu', 'op_by_op', 'op by op'],
  ['webgpu', 'reference', 'plain tfjs, WebGPU'],
  ['webgl', 'reference', 'WebGL'],
  ['wasm', 'replay', 'processor, replayed'],
  ['wasm', 'op_by_op', 'processor, op by op'],
  ['wasm', 'reference', 'plain tfjs, wasm'],
  ['cpu', 'reference', 'JavaScript'],
];

/**
 * One line per configuration: milliseconds per step in float32, one column per backend and mode.
 * The other table says why one failed.
 */
export function ladderTable(rows) {
  const plain = rows.filter(
    (r) => r.peer === undefined && r.precision !== 'fp16' && !recomputes(r) && !r.lora,
  );
  const configs = [...new Set(plain.filter((r) => r.error === undefined).map((r) => r.config))];
  const columns = WAYS.flatMap(([backend, mode, title]) => {
    const of = plain.filter((r) => r.backend === backend && r.mode === mode);
    if (of.length === 0) return [];
    return [[title, ({ config }) => stepTime(of.findLast((r) => r.config === config))]];
  });
  const lines = configs.map((config) => ({ config }));
  return textTable(lines, [['ms per step', ({ config }) => config], ...columns]);
}

function stepTime(row) {
  if (row?.error !== undefined) return 'failed';
  return number(row?.ms, row?.ms >= 100 ? 0 : 2);
}

/** One line per configuration: our losses against those of the plain reference. */
export function lossesTable(rows) {
  const verdict = (value, yes, no) => {
    if (typeof value !== 'boolean') return '-';
    return value ? yes : no;
  };
  const columns = [
    ['config', (r) => r.config],
    ['steps', (r) => r.steps],
    ['largest relative difference', (r) => r.largestDifference?.toExponential(1) ?? '-'],
    ['at step', (r) => r.atStep ?? '-'],
    ['within 1e-4', (r) => verdict(r.withinTolerance, 'yes', 'NO')],
    ['second run', (r) => verdict(r.deterministic, 'same', `differs at step ${r.differsAtStep}`)],
    ['ms', (r) => number(r.ms, 2)],
    ['plain ms', (r) => number(r.plainMs, 0)],
    ['note', (r) => r.why],
  ];
  return textTable(rows, columns, columns.length - 1);
}

/** GPU time by kernel, longest first, with its sum and the time of the measured step. */
export function profileTable(row) {
  const total = row.profile.reduce((sum, { ms }) => sum + ms, 0);
  const count = row.profile.reduce((sum, kernel) => sum + kernel.count, 0);
  const table = textTable(
    [...row.profile, { kernel: 'all', count, ms: total, sum: true }],
    [
      ['kernel', (k) => k.kernel],
      ['count', (k) => k.count],
      ['ms', (k) => number(k.ms, 4)],
      ['us each', (k) => (k.sum ? '' : number((1000 * k.ms) / k.count, 1))],
      ['share', (k) => (k.sum ? '' : percent(k.ms / total))],
    ],
  );
  const step = `one pass per kernel; the step itself took ${number(row.ms, 3)} ms`;
  return `${row.config}, GPU time by kernel (${step})\n${table}`;
}

/** One line per preset and kind of start: milliseconds after Train is pressed. */
export function startTable(rows) {
  const marks = [...new Set(rows.flatMap((r) => Object.keys(r)))].filter((key) =>
    rows.some((r) => typeof r[key] === 'number'),
  );
  return textTable(rows, [
    ['preset', (r) => r.preset],
    ['start', (r) => r.start],
    ...marks.map((mark) => [mark, (r) => number(r[mark], 0)]),
  ]);
}

/** One line per text. */
export function encodeTable(rows) {
  return textTable(rows, [
    ['text', (r) => r.text],
    ['vocabulary', (r) => r.vocab_size],
    ['MB', (r) => number(r.megabytes, 2)],
    ['tokens', (r) => r.tokens],
    ['training ms', (r) => number(r.trainMs, 0)],
    ['encoding ms', (r) => number(r.encodeMs, 0)],
    ['MB/s', (r) => number(r.mbPerSec, 1)],
  ]);
}

/** One line per configuration, backend and number of rows. */
export function generateTable(rows) {
  const columns = [
    ['config', (r) => r.config],
    ['backend', (r) => r.backend],
    ['rows', (r) => r.batch],
    ['ms per token', (r) => number(r.ms, 3)],
    ['mean', (r) => number(r.meanMs, 3)],
    ['tokens/s', (r) => number(r.tokensPerSec, 0)],
    ['dispatches', (r) => number(r.dispatches, 0)],
    ['encode ms', (r) => number(r.encodeMs, 3)],
    ['first token ms', (r) => number(r.firstTokenMs, 2)],
    ['compile ms', (r) => number(r.compileMs, 0)],
    ['sampling', (r) => r.sampling],
  ];
  return textTable(rows, columns, 2);
}

/** One line per configuration, backend and precision. */
export function grpoTable(rows) {
  const columns = [
    ['config', (r) => r.config],
    ['backend', (r) => r.backend],
    ['prompts x answers x tokens', (r) => r.sizes],
    ['ms per step', (r) => number(r.ms, 2)],
    ['mean', (r) => number(r.meanMs, 2)],
    ['rollout ms', (r) => number(r.rolloutMs, 2)],
    ['rest ms', (r) => number(r.restMs, 2)],
    ['encode ms', (r) => number(r.encodeMs, 2)],
    ['dispatches', (r) => number(r.dispatches, 0)],
    ['tokens/s', (r) => number(r.tokensPerSec, 0)],
  ];
  return textTable(rows, columns, 3);
}

/** One line per entry of an operation. */
export function opsTable(rows) {
  const columns = [
    ['operation', (r) => r.op],
    ['size', (r) => r.size ?? r.config],
    ['inputs', (r) => r.title],
    ['ms', (r) => number(r.ms, 4)],
    ['reference ms', (r) => number(r.referenceMs, 4)],
    ['copy ms', (r) => number(r.copyMs, 4)],
    ['x copy', (r) => number((r.ms ?? r.referenceMs) / r.copyMs, 2)],
    ['x reference', (r) => (r.ms && r.referenceMs ? number(r.referenceMs / r.ms, 2) : '-')],
    ['GB/s', (r) => short(r.gbPerSec)],
    ['GFLOP/s', (r) => short(r.gflops)],
    ['dispatches', (r) => number(r.dispatches, 0)],
  ];
  return textTable(rows, columns, 2);
}

/** The best candidates for each matmul, and tfjs's kernel without the epilogue. */
export function searchTable(rows, most = 5) {
  const timed = rows.filter((r) => typeof r.us === 'number');
  const keyOf = ({ config, matmul }) => `${config} ${matmul}`;
  const best = [...new Set(timed.map(keyOf))].flatMap((key) => {
    const all = timed.filter((r) => keyOf(r) === key).sort((x, y) => x.us - y.us);
    const tfjs = all.slice(most).filter((r) => r.candidate.startsWith('tfjs'));
    return [...all.slice(0, most), ...tfjs];
  });
  const columns = [
    ['config', (r) => r.config],
    ['matmul', (r) => r.matmul],
    ['candidate', (r) => r.candidate],
    ['us', (r) => number(r.us, 1)],
    ['TFLOP/s', (r) => number(r.tflops, 1)],
    ['difference', (r) => r.difference?.toExponential(0) ?? '-'],
  ];
  const failed = rows.filter((r) => r.matmul === undefined);
  const table = textTable([...best, ...failed], columns, 2);
  const dropped = rows.filter((r) => r.matmul !== undefined && r.why);
  if (dropped.length === 0) return table;
  const [{ candidate, matmul, why }] = dropped;
  return `${table}\n${dropped.length} candidates dropped, for example ${candidate} (${matmul}): ${why}`;
}

/** One line per preset and precision. */
export function validationTable(rows) {
  const columns = [
    ['preset', (r) => r.validation],
    ['precision', (r) => r.precision],
    ['steps', (r) => r.steps],
    ['validation loss', (r) => number(r.loss, 4)],
    ['ms per step', (r) => number(r.stepMs, 3)],
    ['s', (r) => number(r.seconds, 1)],
  ];
  return textTable(rows, columns, 3);
}

/** One line per matmul: ours with the plan of a run, and tfjs's kernel. */
export function matmulTable(rows) {
  const columns = [
    ['of', (r) => r.config],
    ['matmul', (r) => r.matmul],
    ['us', (r) => number(r.us, 1)],
    ['tfjs us', (r) => number(r.tfjsUs, 1)],
    ['x tfjs', (r) => number(r.tfjsUs / r.us, 2)],
    ['TFLOP/s', (r) => number(r.tflops, 1)],
  ];
  return textTable(rows, columns, 1);
}

/** The kinds of rows, in the order of their tables. The first that applies to a row is its kind. */
const KINDS = [
  { of: (r) => r.preset !== undefined, table: startTable },
  { of: (r) => r.validation !== undefined, table: validationTable },
  { of: (r) => r.op !== undefined || r.mode === 'ops' || r.mode === 'attention', table: opsTable },
  { of: (r) => r.mode === 'losses', table: lossesTable },
  { of: (r) => r.mode === 'generate', table: generateTable },
  { of: (r) => r.mode === 'grpo', table: grpoTable },
  { of: (r) => r.mode === 'encode', table: encodeTable },
  { of: (r) => r.mode === 'search', table: searchTable },
  { of: (r) => r.mode === 'matmuls', table: matmulTable },
  // PyTorch's matmuls: bench/peers/table.mjs shows them next to ours.
  { of: (r) => r.matmuls !== undefined, table: () => '' },
  { of: () => true, table: stepTables },
];

function stepTables(rows) {
  const several = rows.some(
    (r) => r.peer === undefined && ['op_by_op', 'reference'].includes(r.mode),
  );
  return several ? `${stepTable(rows)}\n\n${ladderTable(rows)}` : stepTable(rows);
}

/** Whether a row is a time of a training step. */
export const isStep = (row) => KINDS.find(({ of }) => of(row)) === KINDS.at(-1);

/** All tables of the rows, then the profiles. */
export function tables(rows) {
  const kindOf = (row) => KINDS.find(({ of }) => of(row));
  const shown = KINDS.map((kind) => ({ kind, of: rows.filter((row) => kindOf(row) === kind) }));
  const texts = shown.filter(({ of }) => of.length > 0).map(({ kind, of }) => kind.table(of));
  const profiles = rows.filter(({ profile }) => profile).map(profileTable);
  return [...texts, ...profiles].filter(Boolean).join('\n\n');
}
