/**
 * Matches regular expressions of a tokenizer.json in bounded time. An expression of the browser may
 * backtrack for longer than anybody waits, and cannot be interrupted. This one has the same matches
 * (those of a backtracking search), counts its steps, and gives up when they are too many.
 */
import { unsupported } from '../file_errors.ts';
import type { CharacterSet } from './character_set.ts';

export const OP = {
  /** The whole expression, or the whole lookahead, has matched. */
  match: 0,
  /** One character of set `a`. */
  set: 1,
  /** As many characters of set `a` as there are, and then as few as needed, but `b` at least. */
  run: 2,
  /** Continues at `a`; at `b` if that fails. */
  split: 3,
  /** Continues at `a`. */
  jump: 4,
  /** Continues at `a` if the program behind this instruction matches here. */
  ahead: 5,
  /** Continues at `a` if the program behind this instruction does not match here. */
  notAhead: 6,
  /** The character before this place is in set `a` (`b` = 1), or there is none in it (`b` = 0). */
  behind: 7,
  /** Stores the place in register `a`. */
  mark: 8,
  /** The place differs from that in register `a`: an iteration that matches nothing is not repeated. */
  moved: 9,
  /** The start of the text. */
  start: 10,
  /** The end of the text. */
  end: 11,
} as const;

/** Numbers per instruction. */
export const WIDTH = 3;

export interface Program {
  /** Instructions of three numbers each: an operation of OP and its two operands. */
  code: Int32Array;
  sets: readonly CharacterSet[];
  registers: number;
}

/** Steps per character of text, on average. Expressions of known tokenizers take up to 50. */
const STEPS_PER_CHARACTER = 200;
/** Steps beyond these; they let an expression look further ahead. */
const EXTRA_STEPS = 100_000;
/** Steps of one match per character of the whole text, and at most: less than a second. */
const STEPS_PER_MATCH = 500;
const MAX_STEPS = 2e7;
/** Numbers in the stack: 64 MB. */
const MAX_STACK = 1 << 24;
/** Lookaheads inside one another. */
const MAX_DEPTH = 20;

const tooSlow = () => unsupported('a pattern in it takes too long on this text');

/** Counts the steps of all expressions that read one text. */
export class Meter {
  #steps = 0;
  #characters = 0;

  /** Starts with a new text. */
  reset(): void {
    this.#steps = 0;
    this.#characters = 0;
  }

  /** `characters` of the text were matched in `steps`. @throws DataError tokenizer_unsupported */
  count(steps: number, characters: number): void {
    this.#steps += steps;
    this.#characters += characters;
    if (this.#steps > STEPS_PER_CHARACTER * this.#characters + EXTRA_STEPS) throw tooSlow();
  }
}

interface MatchStart {
  /** The first instruction. */
  from: number;
  /** Where in the text. */
  start: number;
  /** Lookaheads around it. */
  depth: number;
}

export class Matcher {
  readonly #program: Program;
  readonly #meter: Meter;
  readonly #registers: Int32Array;
  /**
   * Where to continue after a failure: entries of an instruction, a place and a number. A negative
   * instruction -1 - r restores register r.
   */
  #stack = new Int32Array(3 << 8);
  #height = 0;
  #steps = 0;
  #mostSteps = 0;
  /** Where `#backtrack` continues. */
  #at = 0;
  #place = 0;

  constructor(program: Program, meter: Meter) {
    this.#program = program;
    this.#meter = meter;
    this.#registers = new Int32Array(program.registers);
  }

  /**
   * Calls `each` with the start and end of all matches, like `matchAll` with the flags gu.
   *
   * @throws DataError tokenizer_unsupported if it takes too long.
   */
  forEachMatch(text: string, each: (start: number, end: number) => void): void {
    this.#mostSteps = Math.min(MAX_STEPS, STEPS_PER_MATCH * text.length + EXTRA_STEPS);
    for (let place = 0; place <= text.length;) {
      this.#steps = 0;
      this.#height = 0;
      const end = this.#match(text, { from: 0, start: place, depth: 0 });
      if (end >= 0) each(place, end);
      const next = end > place ? end : place + sizeAt(text, place);
      this.#meter.count(this.#steps, next - place);
      place = next;
    }
  }

  /** The end of the match of the program from instruction `from`, or -1. */
  #match(text: string, { from, start, depth }: MatchStart): number {
    if (depth > MAX_DEPTH) throw tooSlow();
    const { code } = this.#program;
    const bottom = this.#height;
    let at = from * WIDTH;
    let place = start;
    for (;;) {
      if (++this.#steps > this.#mostSteps) throw tooSlow();
      const operation = code[at];
      if (operation === OP.match) {
        this.#height = bottom;
        return place;
      }
      if (operation === OP.jump) {
        at = code[at + 1]! * WIDTH;
        continue;
      }
      if (operation === OP.split) {
        this.#push(code[at + 2]! * WIDTH, place, -1);
        at = code[at + 1]! * WIDTH;
        continue;
      }
      let after: number;
      let next = at + WIDTH;
      if (operation === OP.ahead || operation === OP.notAhead) {
        const found = this.#match(text, { from: at / WIDTH + 1, start: place, depth: depth + 1 });
        after = found >= 0 === (operation === OP.ahead) ? place : -1;
        next = code[at + 1]! * WIDTH;
      } else {
        after = this.#step(text, at, place);
      }
      if (after >= 0) {
        at = next;
        place = after;
      } else if (this.#backtrack(text, bottom)) {
        at = this.#at;
        place = this.#place;
      } else {
        return -1;
      }
    }
  }

  /** The place after an instruction that only looks at or reads characters; -1 if it fails. */
  #step(text: string, at: number, place: number): number {
    const { code, sets } = this.#program;
    const a = code[at + 1]!;
    const b = code[at + 2]!;
    switch (code[at]) {
      case OP.set:
        if (place >= text.length || !sets[a]!.has(text.codePointAt(place)!)) return -1;
        return place + sizeAt(text, place);
      case OP.run: {
        const end = this.#run(text, place, a);
        const least = skip(text, { place, end, count: b });
        if (least < 0) return -1;
        if (end > least) this.#push(at, end, least);
        return end;
      }
      case OP.behind: {
        const isBehind = place > 0 && sets[a]!.has(pointBefore(text, place));
        return isBehind === (b === 1) ? place : -1;
      }
      case OP.mark:
        this.#push(-1 - a, this.#registers[a]!, 0);
        this.#registers[a] = place;
        return place;
      case OP.moved:
        return this.#registers[a] === place ? -1 : place;
      case OP.start:
        return place === 0 ? place : -1;
      default:
        return place === text.length ? place : -1;
    }
  }

  /** The end of the run of characters of a set. */
  #run(text: string, start: number, set: number): number {
    const characters = this.#program.sets[set]!;
    let end = start;
    while (end < text.length && characters.has(text.codePointAt(end)!)) end += sizeAt(text, end);
    this.#steps += end - start;
    return end;
  }

  /** Sets #at and #place to the last entry of the stack; false if there is none above `bottom`. */
  #backtrack(text: string, bottom: number): boolean {
    while (this.#height > bottom) {
      this.#height -= 3;
      this.#at = this.#stack[this.#height]!;
      this.#place = this.#stack[this.#height + 1]!;
      const least = this.#stack[this.#height + 2]!;
      if (this.#at < 0) {
        this.#registers[-1 - this.#at] = this.#place;
        continue;
      }
      if (least < 0) return true;
      // A run gives one character back.
      this.#place -= sizeBefore(text, this.#place);
      if (this.#place > least) this.#push(this.#at, this.#place, least);
      this.#at += WIDTH;
      return true;
    }
    return false;
  }

  #push(at: number, place: number, least: number): void {
    if (this.#height + 3 > this.#stack.length) {
      if (this.#stack.length * 2 > MAX_STACK) throw tooSlow();
      const grown = new Int32Array(this.#stack.length * 2);
      grown.set(this.#stack);
      this.#stack = grown;
    }
    this.#stack[this.#height] = at;
    this.#stack[this.#height + 1] = place;
    this.#stack[this.#height + 2] = least;
    this.#height += 3;
  }
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

/** UTF-16 units of the character at a place: 1 or 2. At the end of the text: 1. */
function sizeAt(text: string, place: number): 1 | 2 {
  return isHigh(text.charCodeAt(place)) && isLow(text.charCodeAt(place + 1)) ? 2 : 1;
}

/** UTF-16 units of the character before a place. */
function sizeBefore(text: string, place: number): 1 | 2 {
  return isLow(text.charCodeAt(place - 1)) && isHigh(text.charCodeAt(place - 2)) ? 2 : 1;
}

const pointBefore = (text: string, place: number): number =>
  text.codePointAt(place - sizeBefore(text, place))!;

/** The place `count` characters after another, or -1 if that is behind `end`. */
function skip(
  text: string,
  { place, end, count }: { place: number; end: number; count: number },
): number {
  let after = place;
  for (let i = 0; i < count && after >= 0; i++) {
    after = after < end ? after + sizeAt(text, after) : -1;
  }
  return after;
}
