/** Reads JSON strings from bytes as code points, without creating JavaScript strings. */
import { malformed } from './file_errors.ts';
import { Ints } from './ints.ts';

/** Longest string that is read, in code points; no token is longer. */
export const MAX_STRING = 1 << 14;

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const LOWER_U = 0x75;

/** The byte after a backslash, and the code point of the escape. */
const SIMPLE_ESCAPES = new Map<number, number>(
  Object.entries({
    '"': '"',
    '\\': '\\',
    '/': '/',
    b: '\b',
    f: '\f',
    n: '\n',
    r: '\r',
    t: '\t',
  }).map(([letter, char]) => [letter.charCodeAt(0), char.charCodeAt(0)]),
);

export class JsonStringReader {
  /** Code points of the string that was read last. */
  readonly codePoints = new Ints(64);
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Reads a string into `codePoints`.
   *
   * @param start Offset after the opening quotation mark.
   * @returns The offset after the closing quotation mark.
   * @throws DataError tokenizer_malformed
   */
  read(start: number): number {
    this.#offset = start;
    this.codePoints.length = 0;
    for (;;) {
      const byte = this.#bytes[this.#offset] ?? -1;
      if (byte === QUOTE) return this.#offset + 1;
      if (byte < 0) throw malformed('it ends inside a string');
      if (byte < 0x20) throw malformed('a string holds a control character');
      this.codePoints.push(this.#readCodePoint(byte));
      if (this.codePoints.length > MAX_STRING) throw malformed('a string in it is too long');
    }
  }

  /** The string that was read last. */
  toString(): string {
    const { data, length } = this.codePoints;
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCodePoint(data[i]!);
    return text;
  }

  #readCodePoint(first: number): number {
    if (first === BACKSLASH) return this.#readEscape();
    if (first >= 0x80) return this.#readMultibyte(first);
    this.#offset++;
    return first;
  }

  #readEscape(): number {
    this.#offset++;
    const byte = this.#next();
    const simple = SIMPLE_ESCAPES.get(byte);
    if (simple !== undefined) return simple;
    if (byte !== LOWER_U) throw malformed('a string holds an unknown escape');
    const unit = this.#readHex4();
    const isSurrogate = unit >= 0xd800 && unit < 0xe000;
    return isSurrogate ? this.#readLowSurrogate(unit) : unit;
  }

  /** Reads the second escape of a surrogate pair, and returns the code point of both. */
  #readLowSurrogate(high: number): number {
    const isPair = high < 0xdc00 && this.#next() === BACKSLASH && this.#next() === LOWER_U;
    const low = isPair ? this.#readHex4() : 0;
    if (low < 0xdc00 || low >= 0xe000) throw malformed('a string holds half a surrogate pair');
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
  }

  #readHex4(): number {
    let digits = '';
    for (let i = 0; i < 4; i++) digits += String.fromCharCode(this.#next() & 0xff);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw malformed('a string holds a broken escape');
    return parseInt(digits, 16);
  }

  /** Reads a character of two to four bytes; strict UTF-8 (RFC 3629). */
  #readMultibyte(first: number): number {
    const length = sequenceLength(first);
    let point = first & (0xff >> (length + 1));
    for (let i = 1; i < length; i++) {
      const byte = this.#bytes[this.#offset + i] ?? 0;
      const isContinuation = (byte & 0xc0) === 0x80;
      if (!isContinuation) throw malformed('it is not UTF-8');
      point = (point << 6) | (byte & 0x3f);
    }
    const isFirstByte = first >= 0xc2 && first <= 0xf4;
    const isOverlong = point < SMALLEST_POINT[length]!;
    const isSurrogate = point >= 0xd800 && point < 0xe000;
    if (!isFirstByte || isOverlong || isSurrogate || point > 0x10ffff)
      throw malformed('it is not UTF-8');
    this.#offset += length;
    return point;
  }

  #next(): number {
    return this.#bytes[this.#offset++] ?? -1;
  }
}

/** The smallest code point that needs a UTF-8 sequence of this length. */
const SMALLEST_POINT = [0, 0, 0x80, 0x800, 0x10000];

/** Bytes of the UTF-8 sequence that starts with this byte, from 0x80 on. */
function sequenceLength(first: number): 2 | 3 | 4 {
  if (first >= 0xf0) return 4;
  return first >= 0xe0 ? 3 : 2;
}
