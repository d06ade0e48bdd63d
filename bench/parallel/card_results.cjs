/** What the runs of gpu_cards.cjs come to. Pure functions. */

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

const BYTES_OF_FLOAT = 4;
/** Of a step, see `StepParts` in cards_measures.ts. */
const PARTS = ['compute', 'exposed', 'wait', 'copy', 'other', 'communication'];

/** Rows a second of all cards together, each of which trains a run of its own. */
function summarizeAlone(runs) {
  const [{ facts, losses }] = runs;
  const rows_per_second = runs.reduce((sum, { ms }) => sum + (1000 * facts.rows) / ms, 0);
  const mean = (of) => runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  return {
    ...facts,
    dp: 1,
    steps: runs[0].steps,
    ms: mean(({ ms }) => ms),
    rows_per_second,
    losses,
  };
}

/**
 * Rows a second of both ranks, and the parts of a step (cards_measures.ts), in milliseconds: medians
 * of the steps, means of the ranks.
 *
 * @param measured the steps of each rank
 */
function summarizeRanks(facts, measured) {
  const meanOf = (of) =>
    measured.reduce((sum, steps) => sum + median(steps.map(of)), 0) / measured.length;
  // A step ends when its slowest rank has ended it.
  const ms = median(measured[0].map((_, i) => Math.max(...measured.map((steps) => steps[i].ms))));
  const parts = Object.fromEntries(PARTS.map((part) => [part, meanOf((step) => step[part])]));
  const bytes = meanOf((step) => step.bytes);
  const ranks = measured.length;
  return {
    ...facts,
    dp: ranks,
    steps: measured[0].length,
    ms,
    rows_per_second: (1000 * facts.rows) / ms,
    parts,
    bytes,
    // An all-reduce: 2 (N - 1) / N of the gradients a rank.
    formula_bytes: ((2 * (ranks - 1)) / ranks) * BYTES_OF_FLOAT * facts.n_params,
    bytes_per_second: (1000 * bytes) / parts.communication,
  };
}

/**
 * Compares the losses of DP 2 with those of one card with the whole batch (`largest` relative difference),
 * and those of the two pages with each other.
 */
function compareLosses(expected, { losses: [first, second] }) {
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
  const used = cards.map(({ card, mean, most }) => `${card}: ${mean} % (${most} %)`).join(', ');
  const first = [
    row.run,
    `${(row.n_params / 1e6).toFixed(2)} M`,
    String(row.rows),
    row.ms.toFixed(1),
    row.rows_per_second.toFixed(1),
  ];
  if (!parts) return [...first, ...Array.from({ length: 9 }, () => ''), used];
  return [
    ...first,
    ...['compute', 'exposed', 'wait', 'copy', 'communication'].map((part) =>
      parts[part].toFixed(1),
    ),
    (row.bytes / 1e6).toFixed(2),
    (row.bytes / row.formula_bytes).toFixed(4),
    (row.bytes_per_second / 1e6).toFixed(1),
    `${compared.largest.toExponential(1)}, pages ${equality(compared)}`,
    used,
  ];
}

const equality = ({ pages_equal }) => (pages_equal ? 'equal' : 'unequal');

module.exports = { compareLosses, summarizeAlone, summarizeRanks, tableOf };
