/**
 * Counts what makes code hard to read, prints the counts, and fails if a limit is exceeded.
 *
 *     node scripts/style.mjs           prints the counts
 *     node scripts/style.mjs --list    also prints each place that was counted
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { tableIsCurrent } from './rooms.mjs';

const MOST_COLUMNS = 120;
const MOST_FILE_LINES = 300;
const MOST_FUNCTION_LINES = 60;
const MOST_LONG_FUNCTIONS = 10;
const MOST_SUPPRESSIONS = 15;

/** Product files that may exceed MOST_FILE_LINES, each with its reason. At most five. */
const LONG_FILES = {};
const MOST_LONG_FILES = 5;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
});
const files = tracked
  .split('\n')
  .filter((path) => /^(src|assembly|bench|e2e|scripts|vite)\//.test(path))
  .filter((path) => /\.(ts|tsx|mjs|cjs|js|wgsl|css|py)$/.test(path))
  .filter((path) => !path.includes('/fixtures/') || path.endsWith('.ts'));

const isTest = (path) => /\.(test|spec)\.tsx?$|^src\/testing\/|\/testing_|^e2e\//.test(path);
const isProduct = (path) => /^(src|assembly)\//.test(path) && !isTest(path);

const sources = files.map((path) => {
  const text = readFileSync(path, 'utf8');
  return { path, text, lines: text.replace(/\n$/, '').split('\n') };
});
const product = sources.filter(({ path }) => isProduct(path));

const failures = [];
const lists = [];

report('lines over 120 characters', longLines(), 0);
reportLongFiles();
report('functions over 60 lines', longFunctions(), MOST_LONG_FUNCTIONS);
reportSuppressions();
reportShape();
if (!tableIsCurrent()) {
  failures.push('docs/ARCHITECTURE.md: the room table is out of date (scripts/rooms.mjs --write)');
}

if (process.argv.includes('--list')) console.log(lists.join('\n'));
for (const failure of failures) console.log(`style: ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);

/** Prints how many `places` there are, and adds a failure if there are more than `limit`. */
function report(what, places, limit) {
  console.log(`${what}: ${places.length} (at most ${limit})`);
  lists.push(...places);
  if (places.length > limit) failures.push(`${places.length} ${what}:\n  ${places.join('\n  ')}`);
}

function longLines() {
  return sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) =>
      [...line].length > MOST_COLUMNS ? [`${path}:${i + 1}: ${[...line].length} characters`] : [],
    ),
  );
}

function reportLongFiles() {
  const long = product.filter(({ lines }) => lines.length > MOST_FILE_LINES);
  const unlisted = long.filter(({ path }) => !(path in LONG_FILES));
  report(
    `product files over ${MOST_FILE_LINES} lines without a listed reason`,
    unlisted.map(({ path, lines }) => `${path}: ${lines.length} lines`),
    0,
  );
  const listed = Object.entries(LONG_FILES);
  for (const [path, reason] of listed) console.log(`  listed: ${path} (${reason})`);
  if (listed.length > MOST_LONG_FILES) failures.push(`${listed.length} long files are listed.`);
}

/** Functions of product code, bench and scripts; a test file's callbacks are its table of contents. */
function longFunctions() {
  const code = sources.filter(({ path }) => !isTest(path) && /\.(ts|tsx|mjs|js)$/.test(path));
  return code.flatMap(({ path, text }) => longFunctionsOf(path, text));
}

/** The places of functions that are too long. */
function longFunctionsOf(path, text) {
  const kind = path.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
  const places = [];
  const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body) {
      const first = lineOf(node.getStart(source));
      const count = lineOf(node.end) - first + 1;
      if (count > MOST_FUNCTION_LINES) places.push(`${path}:${first + 1}: ${count} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return places;
}

function reportSuppressions() {
  const suppressions = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) =>
      /^\s*(\/\/|\/\*|\{\/\*).*(eslint-disable|@ts-(expect-error|ignore|nocheck)|prettier-ignore)/.test(
        line,
      )
        ? [{ place: `${path}:${i + 1}`, reason: reasonOf(lines, i) }]
        : [],
    ),
  );
  report(
    'lint suppressions',
    suppressions.map(({ place }) => place),
    MOST_SUPPRESSIONS,
  );
  for (const { place, reason } of suppressions) {
    if (!reason) failures.push(`${place}: a suppression without its reason (-- why)`);
  }
}

/** The reason follows `--` in the same comment, which may span a few lines. */
function reasonOf(lines, i) {
  return / -- \S|^\s+-- \S/.test(lines.slice(i, i + 8).join('\n'));
}

/** Other counts, for information: they have no limit. */
function reportShape() {
  const counts = product
    .filter(({ path }) => /\.tsx?$/.test(path))
    .map(({ lines }) => lines.length)
    .sort((a, b) => a - b);
  const codeLines = product.flatMap(({ lines }) => lines).filter((line) => line.trim() !== '');
  const widths = codeLines.map((line) => line.length).sort((a, b) => a - b);
  const comments = codeLines.filter((line) => /^\s*(\/\/|\/\*|\*)/.test(line)).length;
  const median = counts[Math.floor(counts.length / 2)];
  console.log(`product files: ${counts.length}, median ${median}, longest ${counts.at(-1)} lines`);
  console.log(`90th-percentile line: ${widths[Math.floor(0.9 * widths.length)]} characters`);
  console.log(`comment lines: ${((100 * comments) / codeLines.length).toFixed(1)} %`);
}
