/**
 * Limits on what a tokenizer.json may ask of the library. They lie far above what tokenizers of
 * known models need, and keep a hostile file from filling the memory or from never ending.
 */
import { malformed, unsupported } from '../file_errors.ts';
import { ownProperty } from '../outline.ts';

export const MAX_VOCAB = 1 << 19;
/** Normalizers, pre-tokenizers and decoders together. */
const MAX_PARTS = 64;
/** Longest text that a part inserts, in UTF-16 units, such as the ▁ of SentencePiece. */
const MAX_INSERTED = 16;
const MAX_ADDED_LENGTH = 256;
/** Longest entry of a vocabulary, and longest pair of a merge. Those of GPT-2 have up to 128. */
const MAX_ENTRY_LENGTH = 512;

/** A text may grow to this many times its length, and by EXTRA units more. */
const MAX_GROWTH = 4;
const EXTRA = 1000;

/** Texts that a part may be described by, and that it does not insert. */
const NOT_INSERTED = ['type', 'Regex', 'String', 'precompiled_charsmap', 'behavior'];

/** Largest length of a text made from one of `length` UTF-16 units. */
export const grownLength = (length: number): number => MAX_GROWTH * length + EXTRA;

export const tooLong = () => unsupported('it makes the text too long');

/** @throws DataError tokenizer_unsupported or tokenizer_malformed */
export function checkLimits(file: object): void {
  const sections = ['normalizer', 'pre_tokenizer', 'decoder'];
  let parts = 0;
  for (const section of sections) {
    forEachObject(ownProperty(file, section), (part) => {
      if (ownProperty(part, 'type') !== undefined) parts++;
      checkPart(part, section);
    });
  }
  if (parts > MAX_PARTS) throw malformed('it has too many parts');
  checkAdded(ownProperty(file, 'added_tokens'));
  checkModel(ownProperty(file, 'model'));
}

/** Calls `visit` with all objects in a JSON value. */
function forEachObject(root: unknown, visit: (value: object) => void): void {
  const waiting = [root];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    visit(value);
    for (const member of Object.values(value)) waiting.push(member);
  }
}

function checkPart(part: object, section: string): void {
  for (const [name, value] of Object.entries(part)) {
    const isInserted = typeof value === 'string' && !NOT_INSERTED.includes(name);
    if (isInserted && value.length > MAX_INSERTED) throw unsupported(`its ${name} is too long`);
  }
  // The decoders are the library's own, which match with the browser's expressions.
  if (section === 'decoder' && ownProperty(part, 'Regex') !== undefined)
    throw unsupported('its decoder has a pattern');
  if (ownProperty(part, 'type') !== 'FixedLength') return;
  const length = ownProperty(part, 'length');
  // With a length of 0 the library never ends.
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1)
    throw malformed('a length in it is not a whole number');
}

function checkAdded(added: unknown): void {
  if (!Array.isArray(added)) throw malformed('its added tokens are not a list');
  for (const token of added) {
    const content = ownProperty(token, 'content');
    if (typeof content !== 'string' || content === '' || content.length > MAX_ADDED_LENGTH)
      throw malformed('an added token is empty or too long');
    checkId(ownProperty(token, 'id'));
  }
}

function checkModel(model: unknown): void {
  const vocab = ownProperty(model, 'vocab');
  if (Array.isArray(vocab)) {
    for (const entry of vocab) checkLength(ownProperty(entry, '0'));
  } else if (typeof vocab === 'object' && vocab !== null) {
    for (const [entry, id] of Object.entries(vocab)) {
      checkLength(entry);
      checkId(id);
    }
  }
  const merges = ownProperty(model, 'merges');
  if (!Array.isArray(merges)) return;
  for (const merge of merges) {
    if (typeof merge === 'string') checkLength(merge);
    else if (Array.isArray(merge)) merge.forEach(checkLength);
  }
}

/** The library makes a list that is as long as the largest id. */
function checkId(id: unknown): void {
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= MAX_VOCAB)
    throw malformed('an id lies outside any vocabulary');
}

function checkLength(entry: unknown): void {
  if (typeof entry === 'string' && entry.length > MAX_ENTRY_LENGTH)
    throw malformed('a token in it is too long');
}
