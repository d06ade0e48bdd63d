/** What the runs of gpu_cards.cjs come to. Pure functions. */

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

const BYTES_OF_FLOAT = 4;
const PARTS = ['compute', 'exposed', 'wait', 'copy', 'other', 'communication'];

/**
 * Rows a second of all cards together, and the parts of a step (cards_measures.ts), in milliseconds:
 * medians of the steps, means of the ranks.
 *
 * @param facts of each page
 * @param measured the steps of each page
 * @param dp ranks of the run; pages of runs of one rank train apart from each other
 */
function summarize({ facts, measured, dp }) {
  const [{ backend, n_params, rows, row_length, vocab_size }] = facts;
  const meanOf = (of) =>
    measured.reduce((sum, steps) => sum + median(steps.map(of)), 0) / measured.length;
  // A step of a run ends when its slowest rank has ended it.
  const ms =
    dp === 1
      ? meanOf((step) => step.ms)
      : median(measured[0].map((_, i) => Math.max(...measured.map((steps) => steps[i].ms))));
  const runs = measured.length / dp;
  const parts = Object.fromEntries(PARTS.map((part) => [part, meanOf((step) => step[part])]));
  const bytes = meanOf((step) => step.bytes);
  return {
    ...{ backend, n_params, vocab_size, row_length, rows, dp, steps: measured[0].length },
    ms,
    rows_per_second: (1000 * rows * runs) / ms,
    parts,
    bytes,
    // An all-reduce of N ranks: 2 (N - 1) / N of the gradients a rank.
    formula_bytes: ((2 * (dp - 1)) / dp) * BYTES_OF_FLOAT * n_params,
    bytes_per_second: parts.communication > 0 ? (1000 * bytes) / parts.communication : null,
  };
}

/** Losses of DP 2 against those of one rank with the whole batch, and of both pages. */
function compareLosses(reference, { losses: [first, second] }) {
  const [expected = []] = reference;
  const count = Math.min(expected.length, first.length);
  const differences = first
    .slice(0, count)
    .map((loss, i) => Math.abs(loss - expected[i]) / expected[i]);
  return {
    steps: count,
    largest: count > 0 ? Math.max(...differences) : NaN,
    pages_equal: first.length === second.length && first.every((loss, i) => loss === second[i]),
  };
}

/** The rows as a table in Markdown. */
function tableOf(rows) {
  const head =
    '| run | parameters | rows a step | ms | rows/s | compute | communication left | wait | copy | ' +
    'communication | MB sent | of formula | MB/s | loss differs by | cards |';
  const lines = rows.map((row) => `| ${cellsOf(row).join(' | ')} |`);
  return [head, head.replace(/[^|]+/gu, '---'), ...lines].join('\n');
}

function cellsOf(row) {
  if (row.failure) return [row.run, row.failure];
  const { parts, compared, cards } = row;
  const moved = row.bytes > 0;
  return [
    row.run,
    `${(row.n_params / 1e6).toFixed(2)} M`,
    String(row.rows),
    row.ms.toFixed(1),
    row.rows_per_second.toFixed(1),
    ...['compute', 'exposed', 'wait', 'copy', 'communication'].map((part) =>
      parts[part].toFixed(1),
    ),
    moved ? (row.bytes / 1e6).toFixed(2) : '',
    moved ? (row.bytes / row.formula_bytes).toFixed(4) : '',
    moved && row.bytes_per_second ? (row.bytes_per_second / 1e6).toFixed(1) : '',
    compared ? `${compared.largest.toExponential(1)}, pages ${equality(compared)}` : '',
    cards.map(({ card, mean, most }) => `${card}: ${mean} % (${most} %)`).join(', '),
  ];
}

const equality = ({ pages_equal }) => (pages_equal ? 'equal' : 'unequal');

module.exports = { compareLosses, summarize, tableOf };
