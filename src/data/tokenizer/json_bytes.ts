/**
 * A streaming JSON reader over bytes. A vocabulary goes straight into typed arrays, so a hostile
 * file costs at most memory proportional to its size and the time of one pass. It reads only what a
 * tokenizer.json contains: objects, arrays, strings and whole numbers; small values can be parsed
 * as ordinary JSON.
 */
import { malformed } from './file_errors.ts';
import type { Ints } from './ints.ts';
import { BACKSLASH, JsonStringReader, QUOTE } from './json_string.ts';

/** Largest value that is parsed as ordinary JSON, in bytes; settings of a tokenizer are small. */
const MAX_VALUE_BYTES = 1 << 18;
/** Deepest nesting. Code that follows a deeper value by recursion may overflow the stack. */
const MAX_DEPTH = 64;
/** Largest id: 2^31 - 1. */
const MAX_ID = 0x7fffffff;

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = { array: 0x5b, object: 0x7b } as const;
const CLOSE = { array: 0x5d, object: 0x7d } as const;

const isOpening = (byte: number): boolean => byte === OPEN.array || byte === OPEN.object;
const isClosing = (byte: number): boolean => byte === CLOSE.array || byte === CLOSE.object;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Every method throws DataError tokenizer_malformed if the bytes are not what it reads. */
export class JsonBytes {
  readonly #bytes: Uint8Array;
  readonly #strings: JsonStringReader;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#strings = new JsonStringReader(bytes);
    this.#offset = offset;
  }

  /** Offset of the next byte to read. */
  get position(): number {
    return this.#offset;
  }

  /** Code points of the string that was read last. */
  get text(): Ints {
    return this.#strings.codePoints;
  }

  /** The string that was read last. */
  lastString(): string {
    return this.#strings.toString();
  }

  /** Reads an object: calls `member` with each key, at its value, which it must read or skip. */
  object(member: (key: string) => void): void {
    this.entries(() => member(this.lastString()));
  }

  /** Like `object`, but leaves the key in `text` instead of creating a string. */
  entries(member: () => void): void {
    this.#list('object', () => {
      this.string();
      this.#expect(COLON, 'a colon');
      member();
    });
  }

  /** Reads an array: calls `element` at each element, which it must read or skip. */
  array(element: () => void): void {
    this.#list('array', element);
  }

  isString(): boolean {
    return this.#peek() === QUOTE;
  }

  /** Reads a string into `text`. */
  string(): void {
    this.#expect(QUOTE, 'a string');
    this.#offset = this.#strings.read(this.#offset);
  }

  /** Reads a whole number from 0 to 2^31 - 1. */
  id(): number {
    this.#peek();
    const start = this.#offset;
    let value = 0;
    for (let digit = this.#digit(); digit >= 0; digit = this.#digit()) {
      value = value * 10 + digit;
      this.#offset++;
      if (value > MAX_ID) throw malformed('an id in it is too large');
    }
    if (this.#offset === start) throw malformed(`a number was expected at byte ${start}`);
    return value;
  }

  /** Parses a small value as ordinary JSON. */
  value(): unknown {
    this.#peek();
    const start = this.#offset;
    this.skip();
    if (this.#offset - start > MAX_VALUE_BYTES) throw malformed('a setting in it is too large');
    try {
      return JSON.parse(strictUtf8.decode(this.#bytes.subarray(start, this.#offset)));
    } catch {
      throw malformed(`the value at byte ${start} is not JSON`);
    }
  }

  /** Skips one value. Only its brackets and strings are checked. */
  skip(): void {
    let depth = 0;
    do {
      const byte = this.#peek();
      if (byte < 0) throw malformed('it ends too early');
      if (byte === QUOTE) {
        this.#skipString();
      } else if (isOpening(byte)) {
        depth++;
        if (depth > MAX_DEPTH) throw malformed(`it is nested more than ${MAX_DEPTH} levels deep`);
        this.#offset++;
      } else if (isClosing(byte)) {
        depth--;
        if (depth < 0) throw malformed(`a value was expected at byte ${this.#offset}`);
        this.#offset++;
      } else if (depth > 0 && (byte === COMMA || byte === COLON)) {
        this.#offset++;
      } else {
        this.#skipScalar();
      }
    } while (depth > 0);
  }

  /**
   * Counts opening brackets and commas outside strings, from here to the end: an upper bound for
   * what parsing the rest would allocate.
   */
  nodes(): number {
    let count = 0;
    for (let byte = this.#peek(); byte >= 0; byte = this.#peek()) {
      if (byte === QUOTE) {
        this.#skipString();
        continue;
      }
      if (byte === COMMA || isOpening(byte)) count++;
      this.#offset++;
    }
    return count;
  }

  /** Checks that only white space follows. */
  end(): void {
    if (this.#peek() >= 0) throw malformed(`there is more after its end, at byte ${this.#offset}`);
  }

  #list(kind: 'array' | 'object', element: () => void): void {
    this.#expect(OPEN[kind], kind === 'array' ? 'a list' : 'an object');
    if (this.#peek() === CLOSE[kind]) {
      this.#offset++;
      return;
    }
    for (;;) {
      element();
      const byte = this.#peek();
      this.#offset++;
      if (byte === CLOSE[kind]) return;
      if (byte !== COMMA) throw malformed(`a comma was expected at byte ${this.#offset - 1}`);
    }
  }

  /** Skips white space and returns the next byte without reading it, or -1 at the end. */
  #peek(): number {
    for (;;) {
      const byte = this.#bytes[this.#offset] ?? -1;
      const isSpace = byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
      if (!isSpace) return byte;
      this.#offset++;
    }
  }

  #expect(byte: number, what: string): void {
    if (this.#peek() !== byte) throw malformed(`${what} was expected at byte ${this.#offset}`);
    this.#offset++;
  }

  /** The digit at the offset, or -1. */
  #digit(): number {
    const digit = (this.#bytes[this.#offset] ?? -1) - 0x30;
    return digit >= 0 && digit <= 9 ? digit : -1;
  }

  #skipString(): void {
    for (this.#offset++; ; this.#offset++) {
      const byte = this.#bytes[this.#offset] ?? -1;
      if (byte < 0) throw malformed('it ends inside a string');
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) this.#offset++;
    }
    this.#offset++;
  }

  /** Skips a number, true, false or null. */
  #skipScalar(): void {
    const start = this.#offset;
    while (isScalarByte(this.#bytes[this.#offset] ?? -1)) this.#offset++;
    if (this.#offset === start) throw malformed(`a value was expected at byte ${start}`);
  }
}

/** A byte of a number, true, false or null: 0-9, a-z, "-", "+", "." or "E". */
function isScalarByte(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isLowerCase = byte >= 0x61 && byte <= 0x7a;
  return isDigit || isLowerCase || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45;
}
