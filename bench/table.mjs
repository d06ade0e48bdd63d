/** Rows of the bench as text tables. */
const number = (value, digits) =>
  typeof value === 'number' && Number.isFinite(value) ? value.toFixed(digits) : '-';
/** Three digits or so, whatever the size. */
const short = (value) => number(value, value >= 100 ? 0 : value >= 1 ? 2 : 4);
const mb = (bytes) => (typeof bytes === 'number' ? number(bytes / 2 ** 20, 0) : '-');

function table(header, rows) {
  const widths = header.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i].length)));
  const line = (cells) =>
    `| ${cells.map((c, i) => (i < 1 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join(' | ')} |`;
  return [
    line(header),
    `|${widths.map((w, i) => (i < 1 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`)).join('|')}|`,
    ...rows.map(line),
  ].join('\n');
}

/** As it stands beside the mode: nothing for f32. */
export const precisionOf = (r) =>
  r.precision !== 'fp16' ? '' : r.subgroupMatrices ? ', fp16 by subgroup matrices' : ', fp16';

/** One line a configuration, backend and mode. */
export function stepTable(rows) {
  const header = [
    'config',
    'backend',
    'mode',
    'ms',
    'mean',
    'steps',
    'tokens/s',
    'dispatches',
    'submits',
    'encode ms',
    'host ms',
    'programs ms',
    'GPU MB',
    'GFLOP/s',
    'of peak',
    'peak TFLOP/s',
    'first loss ms',
  ];
  return table(
    header,
    rows.map((r) =>
      r.error !== undefined
        ? [r.config, r.backend, r.mode, r.error, ...header.slice(4).map(() => '')]
        : [
            r.config,
            r.backend,
            (r.peer ? `${r.peer} ${r.mode}` : r.mode) +
              precisionOf(r) +
              (r.checkpointing ? ', checkpointing' : '') +
              (r.unfinished ? ', unfinished' : ''),
            number(r.ms, 3),
            number(r.meanMs, 3),
            String(r.steps),
            number(r.tokensPerSec, 0),
            number(r.dispatches, 0),
            number(r.submits, 1),
            number(r.encodeMs, 3),
            number(r.hostMs, 3),
            number(r.programsMs, 3),
            typeof r.gpuBytes === 'number' && r.gpuBytes < 2 ** 20 ? '<1' : mb(r.gpuBytes),
            short(r.gflops),
            typeof r.peakShare !== 'number' ? '-' : `${number(100 * r.peakShare, 1)} %`,
            typeof r.peakTflops === 'number' ? `${short(r.peakTflops)} at ${r.peakSize}` : '-',
            number(r.firstLossMs, 0),
          ],
    ),
  );
}

const WAYS = [
  ['webgpu', 'replay', 'replayed'],
  ['webgpu', 'op_by_op', 'op by op'],
  ['webgpu', 'reference', 'plain tfjs, WebGPU'],
  ['webgl', 'reference', 'WebGL'],
  ['wasm', 'reference', 'wasm'],
  ['cpu', 'reference', 'JavaScript'],
];

/**
 * One line a configuration, milliseconds a step of every way that it was run in f32; what failed is
 * told by the other table.
 */
export function ladderTable(rows) {
  const plain = rows.filter(
    (r) => r.peer === undefined && r.precision !== 'fp16' && !r.checkpointing,
  );
  const of = (config, backend, mode) =>
    plain.findLast((r) => r.config === config && r.backend === backend && r.mode === mode);
  const ways = WAYS.filter(([backend, mode]) =>
    plain.some((r) => r.backend === backend && r.mode === mode),
  );
  const configs = [...new Set(plain.filter((r) => r.error === undefined).map((r) => r.config))];
  return table(
    ['ms a step', ...ways.map(([, , title]) => title)],
    configs.map((config) => [
      config,
      ...ways.map(([backend, mode]) => {
        const row = of(config, backend, mode);
        return row?.error !== undefined ? 'failed' : number(row?.ms, row?.ms >= 100 ? 0 : 2);
      }),
    ]),
  );
}

/** One line a configuration: our losses against the plain reference's. */
export function lossesTable(rows) {
  const verdict = (is, yes, no) => (is === true ? yes : is === false ? no : '-');
  return table(
    [
      'config',
      'steps',
      'largest relative difference',
      'at step',
      'within 1e-4',
      'second run',
      'ms',
      'plain ms',
      '',
    ],
    rows.map((r) =>
      r.error !== undefined
        ? [r.config, '', '', '', '', '', '', '', r.error]
        : [
            r.config,
            String(r.steps),
            typeof r.largestDifference === 'number' ? r.largestDifference.toExponential(1) : '-',
            String(r.atStep ?? '-'),
            verdict(r.withinTolerance, 'yes', 'NO'),
            verdict(r.deterministic, 'the same', `differs at step ${r.differsAtStep}`),
            number(r.ms, 2),
            number(r.plainMs, 0),
            r.why ?? '',
          ],
    ),
  );
}

/** GPU time by kernel, longest first, and what it adds up to beside the measured step. */
export function profileTable(row) {
  const total = row.profile.reduce((n, k) => n + k.ms, 0);
  const count = row.profile.reduce((n, k) => n + k.count, 0);
  const lines = row.profile.map((k) => [
    k.kernel,
    String(k.count),
    number(k.ms, 4),
    number((1000 * k.ms) / k.count, 1),
    `${number((100 * k.ms) / total, 1)} %`,
  ]);
  return `${row.config}, GPU time by kernel (a pass each; the step itself took ${number(row.ms, 3)} ms)\n${table(['kernel', 'count', 'ms', 'us each', 'share'], [...lines, ['all', String(count), number(total, 4), '', '']])}`;
}

/** One line a preset and way to start: milliseconds from Train. */
export function startTable(rows) {
  const marks = [...new Set(rows.flatMap((r) => Object.keys(r)))].filter((key) =>
    rows.some((r) => typeof r[key] === 'number'),
  );
  return table(
    ['preset', 'start', ...marks],
    rows.map((r) => [r.preset, r.start, ...marks.map((mark) => number(r[mark], 0))]),
  );
}

/** One line a text. */
export function encodeTable(rows) {
  return table(
    ['text', 'vocabulary', 'MB', 'tokens', 'training ms', 'encoding ms', 'MB/s'],
    rows.map((r) =>
      r.error !== undefined
        ? [r.error, ...Array.from({ length: 6 }, () => '')]
        : [
            r.text,
            String(r.vocab_size),
            number(r.megabytes, 2),
            String(r.tokens),
            number(r.trainMs, 0),
            number(r.encodeMs, 0),
            number(r.mbPerSec, 1),
          ],
    ),
  );
}

/** One line a configuration, backend and number of rows. */
export function generateTable(rows) {
  const header = [
    'config',
    'backend',
    'rows',
    'ms a token',
    'mean',
    'tokens/s',
    'dispatches',
    'encode ms',
    'first token ms',
    'compile ms',
    'sampling',
  ];
  return table(
    header,
    rows.map((r) =>
      r.error !== undefined
        ? [r.config, r.backend, r.error, ...header.slice(3).map(() => '')]
        : [
            r.config,
            r.backend,
            String(r.batch),
            number(r.ms, 3),
            number(r.meanMs, 3),
            number(r.tokensPerSec, 0),
            number(r.dispatches, 0),
            number(r.encodeMs, 3),
            number(r.firstTokenMs, 2),
            number(r.compileMs, 0),
            r.sampling,
          ],
    ),
  );
}

export function opsTable(rows) {
  const best = (r) => r.ms ?? r.referenceMs;
  return table(
    [
      'operation',
      'size',
      'inputs',
      'ms',
      'reference ms',
      'copy ms',
      'x copy',
      'x reference',
      'GB/s',
      'GFLOP/s',
      'dispatches',
    ],
    rows.map((r) =>
      r.error !== undefined
        ? [r.error, r.config, ...Array.from({ length: 9 }, () => '')]
        : [
            r.op,
            r.size,
            r.title,
            number(r.ms, 4),
            number(r.referenceMs, 4),
            number(r.copyMs, 4),
            number(best(r) / r.copyMs, 2),
            r.ms === null || r.referenceMs === null ? '-' : number(r.referenceMs / r.ms, 2),
            short(r.gbPerSec),
            short(r.gflops),
            number(r.dispatches, 0),
          ],
    ),
  );
}

/** Of each product the best candidates, and what tfjs's own kernel takes for the product alone. */
export function searchTable(rows, most = 5) {
  const line = (r) =>
    r.error !== undefined && r.product === undefined
      ? ['', '', r.error, '', '', '']
      : [
          r.search,
          r.product,
          r.candidate,
          number(r.us, 1),
          number(r.tflops, 1),
          r.error === null ? '-' : Number(r.error).toExponential(0),
        ];
  const timed = rows.filter((r) => typeof r.us === 'number');
  const products = [...new Set(timed.map((r) => `${r.search} ${r.product}`))];
  const best = products.flatMap((key) => {
    const all = timed.filter((r) => `${r.search} ${r.product}` === key).sort((x, y) => x.us - y.us);
    return [
      ...all.slice(0, most),
      ...all.slice(most).filter((r) => r.candidate.startsWith('tfjs')),
    ];
  });
  const failed = rows.filter((r) => r.product === undefined);
  const wrong = rows.filter((r) => r.product !== undefined && r.why);
  const notes =
    wrong.length > 0
      ? `\n${wrong.length} candidates left out, for example ${wrong[0].candidate} (${wrong[0].product}): ${wrong[0].why}`
      : '';
  return (
    table(
      ['size', 'product', 'candidate', 'us', 'TFLOP/s', 'error'],
      [...best, ...failed].map(line),
    ) + notes
  );
}

/** One line a preset and precision. */
export function validationTable(rows) {
  return table(
    ['preset', 'precision', 'steps', 'validation loss', 'ms a step', 's'],
    rows.map((r) => [
      r.validation,
      r.precision,
      String(r.steps),
      r.error ?? number(r.loss, 4),
      number(r.stepMs, 3),
      number(r.seconds, 1),
    ]),
  );
}

/** One line a product: ours as a run plans it, and tfjs's kernel. */
export function againstTfjsTable(rows) {
  return table(
    ['of', 'product', 'us', 'tfjs us', 'x tfjs', 'TFLOP/s'],
    rows.map((r) =>
      r.error !== undefined
        ? [r.error, '', '', '', '', '']
        : [
            r.against,
            r.product,
            number(r.us, 1),
            number(r.tfjsUs, 1),
            number(r.tfjsUs / r.us, 2),
            number(r.tflops, 1),
          ],
    ),
  );
}

/** Everything that there is to say about these rows. */
export function tables(rows) {
  const ops = rows.filter((r) => r.op !== undefined || r.mode === 'ops');
  const searched = rows.filter((r) => r.search !== undefined || r.mode === 'search');
  const generated = rows.filter((r) => r.mode === 'generate');
  const encoded = rows.filter((r) => r.mode === 'encode');
  const losses = rows.filter((r) => r.mode === 'losses');
  const started = rows.filter((r) => r.preset !== undefined);
  const products = rows.filter((r) => r.products !== undefined);
  const validated = rows.filter((r) => r.validation !== undefined);
  const against = rows.filter((r) => r.against !== undefined || r.mode === 'products');
  const steps = rows.filter(
    (r) =>
      ![validated, against, ops, searched, generated, encoded, losses, started, products].some(
        (kind) => kind.includes(r),
      ),
  );
  const several = steps.some(
    (r) => r.peer === undefined && ['op_by_op', 'reference'].includes(r.mode),
  );
  return [
    ...(steps.length > 0 ? [stepTable(steps)] : []),
    ...(several ? [ladderTable(steps)] : []),
    ...(losses.length > 0 ? [lossesTable(losses)] : []),
    ...(started.length > 0 ? [startTable(started)] : []),
    ...(generated.length > 0 ? [generateTable(generated)] : []),
    ...(encoded.length > 0 ? [encodeTable(encoded)] : []),
    ...[...steps, ...generated].filter((r) => r.profile).map(profileTable),
    ...(ops.length > 0 ? [opsTable(ops)] : []),
    ...(searched.length > 0 ? [searchTable(searched)] : []),
    ...(against.length > 0 ? [againstTfjsTable(against)] : []),
    ...(validated.length > 0 ? [validationTable(validated)] : []),
  ].join('\n\n');
}
