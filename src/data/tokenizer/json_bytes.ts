/**
 * Reads JSON from its bytes without building it: a vocabulary goes straight into typed arrays, so
 * that a hostile file costs no more memory than its own size and no more time than one pass. Only
 * what a tokenizer.json holds is read: objects, arrays, strings and whole numbers; small values can
 * be taken out as ordinary JSON.
 */
import { DataError } from '../errors.ts';
import { Ints } from './ints.ts';

/** A token longer than this is no token. Code points. */
export const MAX_STRING = 1 << 14;
/** Settings of a tokenizer are small; what is larger is refused before it is built. Bytes. */
const MAX_VALUE = 1 << 18;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN = { array: 0x5b, object: 0x7b } as const;
const CLOSE = { array: 0x5d, object: 0x7d } as const;
const strict = new TextDecoder('utf-8', { fatal: true });

export const malformed = (detail: string): DataError =>
  new DataError(
    'tokenizer_malformed',
    `The tokenizer.json cannot be read: ${detail}.`,
    'Choose an intact tokenizer.json.',
  );

export class JsonBytes {
  /** Code points of the string read last. */
  readonly text = new Ints(64);
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  /** Calls `member` with each key at its value, which it must read or skip. */
  object(member: (key: string) => void): void {
    this.#list('object', () => {
      this.string();
      const key = this.lastString();
      this.#expect(0x3a, 'a colon');
      member(key);
    });
  }

  /** As `object`, but leaves the key in `text` instead of making a string of it. */
  entries(member: () => void): void {
    this.#list('object', () => {
      this.string();
      this.#expect(0x3a, 'a colon');
      member();
    });
  }

  /** Calls `element` at each element, which it must read or skip. */
  array(element: () => void): void {
    this.#list('array', element);
  }

  isString(): boolean {
    return this.#peek() === QUOTE;
  }

  /** Reads a string into `text`. */
  string(): void {
    this.#expect(QUOTE, 'a string');
    this.text.length = 0;
    for (;;) {
      const byte = this.#bytes[this.#at] ?? -1;
      if (byte === QUOTE) break;
      if (byte < 0x20)
        throw malformed(
          byte < 0 ? 'it ends inside a string' : 'a string holds a control character',
        );
      this.text.push(
        byte === BACKSLASH ? this.#escape() : byte < 0x80 ? this.#next() : this.#multibyte(byte),
      );
      if (this.text.length > MAX_STRING) throw malformed('a string in it is too long');
    }
    this.#at++;
  }

  lastString(): string {
    let text = '';
    for (let i = 0; i < this.text.length; i++) text += String.fromCodePoint(this.text.data[i]!);
    return text;
  }

  /** A whole number from 0 to 2^31 - 1. */
  id(): number {
    this.#peek();
    let value = 0;
    const start = this.#at;
    for (let digit = this.#digit(); digit >= 0; digit = this.#digit()) {
      value = value * 10 + digit;
      this.#at++;
      if (value > 0x7fffffff) throw malformed('an id in it is too large');
    }
    if (this.#at === start) throw malformed(`a number was expected at byte ${start}`);
    return value;
  }

  /** A small value as ordinary JSON. */
  value(): unknown {
    this.#peek();
    const start = this.#at;
    this.skip();
    if (this.#at - start > MAX_VALUE) throw malformed('a setting in it is too large');
    try {
      return JSON.parse(strict.decode(this.#bytes.subarray(start, this.#at)));
    } catch {
      throw malformed(`the value at byte ${start} is not JSON`);
    }
  }

  /** Passes over one value; what is in it is not checked beyond its brackets and strings. */
  skip(): void {
    let depth = 0;
    do {
      const byte = this.#peek();
      if (byte < 0) throw malformed('it ends too early');
      if (byte === QUOTE) this.#skipString();
      else if (byte === OPEN.array || byte === OPEN.object) {
        depth++;
        this.#at++;
      } else if (byte === CLOSE.array || byte === CLOSE.object) {
        if (--depth < 0) throw malformed(`a value was expected at byte ${this.#at}`);
        this.#at++;
      } else if (depth > 0 && (byte === COMMA || byte === 0x3a)) this.#at++;
      else this.#skipScalar();
    } while (depth > 0);
  }

  /** How many brackets and commas stand outside strings, from here to the end. */
  nodes(): number {
    let count = 0;
    for (let byte = this.#peek(); byte >= 0; byte = this.#peek()) {
      if (byte === QUOTE) this.#skipString();
      else {
        if (byte === COMMA || byte === OPEN.array || byte === OPEN.object) count++;
        this.#at++;
      }
    }
    return count;
  }

  /** Nothing but white space may follow. */
  end(): void {
    if (this.#peek() >= 0) throw malformed(`there is more after its end, at byte ${this.#at}`);
  }

  #list(kind: 'array' | 'object', element: () => void): void {
    this.#expect(OPEN[kind], kind === 'array' ? 'a list' : 'an object');
    if (this.#peek() === CLOSE[kind]) {
      this.#at++;
      return;
    }
    for (;;) {
      element();
      const byte = this.#peek();
      this.#at++;
      if (byte === CLOSE[kind]) return;
      if (byte !== COMMA) throw malformed(`a comma was expected at byte ${this.#at - 1}`);
    }
  }

  /** The next byte that is not white space, or -1; stays on it. */
  #peek(): number {
    for (;;) {
      const byte = this.#bytes[this.#at] ?? -1;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at++;
    }
  }

  #next(): number {
    return this.#bytes[this.#at++] ?? -1;
  }

  #expect(byte: number, what: string): void {
    if (this.#peek() !== byte) throw malformed(`${what} was expected at byte ${this.#at}`);
    this.#at++;
  }

  #digit(): number {
    const digit = (this.#bytes[this.#at] ?? -1) - 0x30;
    return digit >= 0 && digit <= 9 ? digit : -1;
  }

  #skipString(): void {
    for (this.#at++; ; this.#at++) {
      const byte = this.#bytes[this.#at] ?? -1;
      if (byte < 0) throw malformed('it ends inside a string');
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) this.#at++;
    }
    this.#at++;
  }

  /** A number, true, false or null. */
  #skipScalar(): void {
    const start = this.#at;
    for (;;) {
      const byte = this.#bytes[this.#at] ?? -1;
      const scalar =
        (byte >= 0x30 && byte <= 0x39) ||
        (byte >= 0x61 && byte <= 0x7a) ||
        byte === 0x2d ||
        byte === 0x2b ||
        byte === 0x2e ||
        byte === 0x45;
      if (!scalar) break;
      this.#at++;
    }
    if (this.#at === start) throw malformed(`a value was expected at byte ${start}`);
  }

  #escape(): number {
    this.#at++;
    const byte = this.#next();
    const simple = SIMPLE_ESCAPES.get(byte);
    if (simple !== undefined) return simple;
    if (byte !== 0x75) throw malformed('a string holds an unknown escape');
    const unit = this.#hex4();
    if (unit < 0xd800 || unit >= 0xe000) return unit;
    const paired = unit < 0xdc00 && this.#next() === BACKSLASH && this.#next() === 0x75;
    const low = paired ? this.#hex4() : 0;
    if (low < 0xdc00 || low >= 0xe000) throw malformed('a string holds half a surrogate pair');
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }

  #hex4(): number {
    const digits = String.fromCharCode(
      this.#next() & 0xff,
      this.#next() & 0xff,
      this.#next() & 0xff,
      this.#next() & 0xff,
    );
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw malformed('a string holds a broken escape');
    return parseInt(digits, 16);
  }

  /** One character of two to four bytes, strictly UTF-8. */
  #multibyte(first: number): number {
    const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    let point = first & (0xff >> (length + 1));
    for (let i = 1; i < length; i++) {
      const byte = this.#bytes[this.#at + i] ?? 0;
      if ((byte & 0xc0) !== 0x80) throw malformed('it is not UTF-8');
      point = (point << 6) | (byte & 0x3f);
    }
    const least = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
    if (
      first < 0xc2 ||
      first > 0xf4 ||
      point < least ||
      point > 0x10ffff ||
      (point >= 0xd800 && point < 0xe000)
    ) {
      throw malformed('it is not UTF-8');
    }
    this.#at += length;
    return point;
  }
}

/** The byte after a backslash, and the character that the two stand for. */
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
