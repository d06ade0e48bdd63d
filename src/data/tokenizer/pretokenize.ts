/**
 * GPT-2's pre-tokenizer (Radford et al. 2019, encoder.py) as a scanner. It cuts text into words
 * before any merge, like the regular expression
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * The scanner looks up the class of every UTF-16 code unit in a table, and is several times as fast
 * as the expression. White space is Unicode's White_Space, as in Hugging Face `tokenizers`;
 * JavaScript's \s differs in U+0085 and U+FEFF.
 */
const OTHER = 0;
const LETTER = 1;
const NUMBER = 2;
const SPACE = 3;
const SURROGATE = 4;
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;
const BLANK = 32;
const APOSTROPHE = 39;

/** Class of each UTF-16 code unit [65536]; built on first use. */
let table: Uint8Array | undefined;

function classTable(): Uint8Array {
  const classes = new Uint8Array(0x10000).fill(SURROGATE, FIRST_SURROGATE, LAST_SURROGATE + 1);
  markClasses(classes, 0, FIRST_SURROGATE);
  markClasses(classes, LAST_SURROGATE + 1, 0x10000);
  return classes;
}

/** Sets the classes of the code units [from, to), none of which is a surrogate. */
function markClasses(classes: Uint8Array, from: number, to: number): void {
  const units = Array.from({ length: to - from }, (_, i) => from + i);
  const text = String.fromCharCode(...units);
  const runs = [
    [/\p{L}+/gu, LETTER],
    [/\p{N}+/gu, NUMBER],
    [/\p{White_Space}+/gu, SPACE],
  ] as const;
  for (const [expression, characterClass] of runs) {
    for (const match of text.matchAll(expression)) {
      const start = from + match.index;
      classes.fill(characterClass, start, start + match[0].length);
    }
  }
}

/**
 * Class of the character at a surrogate: beyond the basic plane, where there is no white space, or a
 * lone surrogate.
 */
function astralClass(text: string, at: number): number {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (/\p{L}/u.test(char)) return LETTER;
  return /\p{N}/u.test(char) ? NUMBER : OTHER;
}

const isPair = (text: string, at: number) => (text.codePointAt(at) ?? 0) > 0xffff;

/** End of the run of characters of one class that starts at `start`. */
function runEnd(text: string, start: number, characterClass: number, classes: Uint8Array): number {
  let end = start;
  while (end < text.length) {
    const unit = classes[text.charCodeAt(end)]!;
    if (unit === characterClass) end++;
    else if (unit === SURROGATE && astralClass(text, end) === characterClass)
      end += isPair(text, end) ? 2 : 1;
    else break;
  }
  return end;
}

/** Length of 's 't 'm 'd 're 've 'll at the apostrophe at `at`, or 0. */
function contraction(text: string, at: number): number {
  const next = text[at + 1];
  if (next === 's' || next === 't' || next === 'm' || next === 'd') return 2;
  const two = text.slice(at + 1, at + 3);
  return two === 're' || two === 've' || two === 'll' ? 3 : 0;
}

/** End of the word that starts at `start`, which must be less than text.length. */
export function wordEnd(text: string, start: number): number {
  const classes = (table ??= classTable());
  const unit = text.charCodeAt(start);
  let characterClass = classes[unit]!;
  if (characterClass === SURROGATE) characterClass = astralClass(text, start);
  if (characterClass !== SPACE) {
    const length = unit === APOSTROPHE ? contraction(text, start) : 0;
    return length > 0 ? start + length : runEnd(text, start, characterClass, classes);
  }
  if (unit === BLANK && start + 1 < text.length) {
    let next = classes[text.charCodeAt(start + 1)]!;
    if (next === SURROGATE) next = astralClass(text, start + 1);
    if (next !== SPACE) return runEnd(text, start + 1, next, classes);
  }
  const end = runEnd(text, start, SPACE, classes);
  // The last space before a word is left for the word, unless it is the only one.
  return end === text.length || end === start + 1 ? end : end - 1;
}
