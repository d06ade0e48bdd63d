/**
 * GPT-2's pre-tokenizer (Radford et al. 2019, encoder.py) as a scanner: text is cut into words
 * before any merge, by
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * The scanner knows the class of every UTF-16 unit from a table and is several times as fast as the
 * expression. White space is Unicode's White_Space, as in Hugging Face `tokenizers`; JavaScript's
 * \s differs in U+0085 and U+FEFF.
 */
const OTHER = 0;
const LETTER = 1;
const NUMBER = 2;
const SPACE = 3;
const SURROGATE = 4;
const BLANK = 32;
const APOSTROPHE = 39;

let table: Uint8Array | undefined;

function classTable(): Uint8Array {
  const classes = new Uint8Array(0x10000);
  // Surrogates keep their place as spaces here, so that an index into the string is a code unit.
  const units = String.fromCharCode(...Array.from({ length: 0xd800 }, (_, unit) => unit));
  const upper = String.fromCharCode(...Array.from({ length: 0x2000 }, (_, i) => 0xe000 + i));
  for (const [expression, cls] of [
    [/\p{L}+/gu, LETTER],
    [/\p{N}+/gu, NUMBER],
    [/\p{White_Space}+/gu, SPACE],
  ] as const) {
    for (const [text, first] of [
      [units, 0],
      [upper, 0xe000],
    ] as const) {
      for (const match of text.matchAll(expression)) {
        const start = first + match.index;
        classes.fill(cls, start, start + match[0].length);
      }
    }
  }
  return classes.fill(SURROGATE, 0xd800, 0xe000);
}

/**
 * Class of a character beyond the basic plane (which has no white space), or of a lone surrogate.
 */
function astralClass(text: string, at: number): number {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return /\p{L}/u.test(char) ? LETTER : /\p{N}/u.test(char) ? NUMBER : OTHER;
}

const isPair = (text: string, at: number) => (text.codePointAt(at) ?? 0) > 0xffff;

/** End of a run of characters of one class that begins at `at`. */
function runEnd(text: string, at: number, cls: number, classes: Uint8Array): number {
  let end = at;
  while (end < text.length) {
    const unit = classes[text.charCodeAt(end)]!;
    if (unit === cls) end++;
    else if (unit === SURROGATE && astralClass(text, end) === cls) end += isPair(text, end) ? 2 : 1;
    else break;
  }
  return end;
}

/** Length of 's 't 'm 'd 're 've 'll at an apostrophe, or 0. */
function contraction(text: string, at: number): number {
  const next = text[at + 1];
  if (next === 's' || next === 't' || next === 'm' || next === 'd') return 2;
  const two = text.slice(at + 1, at + 3);
  return two === 're' || two === 've' || two === 'll' ? 3 : 0;
}

/** End of the word that begins at `start`, where start < text.length. */
export function wordEnd(text: string, start: number): number {
  const classes = (table ??= classTable());
  const unit = text.charCodeAt(start);
  let cls = classes[unit]!;
  if (cls === SURROGATE) cls = astralClass(text, start);
  if (cls !== SPACE) {
    const length = unit === APOSTROPHE ? contraction(text, start) : 0;
    return length > 0 ? start + length : runEnd(text, start, cls, classes);
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
