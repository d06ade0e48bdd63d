/** Compiles a regular expression to a program for `matcher.ts`. */
import type { AST } from '@eslint-community/regexpp';
import { unsupported } from '../file_errors.ts';
import { CharacterSet } from './character_set.ts';
import { OP, WIDTH, type Program } from './matcher.ts';

/** Longest expression that is read, in characters. DeepSeek lists letters one by one: 2,500. */
const MAX_SOURCE = 8_000;
const MAX_INSTRUCTIONS = 20_000;
/** A set has a table of 64 kB. */
const MAX_SETS = 200;

/**
 * Compiles an expression with the flag u.
 *
 * @throws DataError tokenizer_unsupported for what no tokenizer needs: references to groups, `\b`,
 * modifiers, and lookbehind of more than one character.
 */
export async function compile(source: string): Promise<Program> {
  if (source.length > MAX_SOURCE) throw unsupported('a pattern in it is too long');
  // A large parser, which only few tokenizers need.
  const { RegExpParser } = await import('@eslint-community/regexpp');
  let pattern: AST.Pattern;
  try {
    pattern = new RegExpParser().parsePattern(source, 0, source.length, { unicode: true });
  } catch {
    throw unsupported('a pattern in it cannot be read');
  }
  return new Compiler().compile(pattern);
}

const unknownPart = (raw: string) =>
  unsupported(`a pattern in it has ${raw.slice(0, 20)}, which cannot be matched`);

class Compiler {
  readonly #code: number[] = [];
  readonly #sets = new Map<string, number>();
  #registers = 0;

  compile({ alternatives }: AST.Pattern): Program {
    this.#alternatives(alternatives);
    this.#add(OP.match);
    return {
      code: Int32Array.from(this.#code),
      sets: [...this.#sets.keys()].map((source) => new CharacterSet(source)),
      registers: this.#registers,
    };
  }

  /** The index of the next instruction. */
  get #next(): number {
    return this.#code.length / WIDTH;
  }

  /** Appends an instruction, and returns its index. */
  #add(operation: number, a = 0, b = 0): number {
    const index = this.#next;
    if (index >= MAX_INSTRUCTIONS) throw unsupported('a pattern in it is too large');
    this.#code.push(operation, a, b);
    return index;
  }

  /** Sets operand 1 or 2 of an instruction to the index of the next one. */
  #pointHere(instruction: number, operand: 1 | 2): void {
    this.#code[instruction * WIDTH + operand] = this.#next;
  }

  #set(source: string): number {
    const known = this.#sets.get(source);
    if (known !== undefined) return known;
    if (this.#sets.size >= MAX_SETS) throw unsupported('a pattern in it has too many classes');
    this.#sets.set(source, this.#sets.size);
    return this.#sets.size - 1;
  }

  #alternatives(alternatives: readonly AST.Alternative[]): void {
    const jumps: number[] = [];
    alternatives.forEach((alternative, index) => {
      const isLast = index === alternatives.length - 1;
      const split = isLast ? null : this.#add(OP.split, this.#next + 1);
      for (const element of alternative.elements) this.#element(element);
      if (split === null) return;
      jumps.push(this.#add(OP.jump));
      this.#pointHere(split, 2);
    });
    for (const jump of jumps) this.#pointHere(jump, 1);
  }

  #element(element: AST.Element): void {
    switch (element.type) {
      case 'Character':
      case 'CharacterSet':
      case 'CharacterClass':
        this.#add(OP.set, this.#set(element.raw));
        return;
      case 'Group':
        if (element.modifiers) throw unknownPart(element.raw);
        this.#alternatives(element.alternatives);
        return;
      case 'CapturingGroup':
        this.#alternatives(element.alternatives);
        return;
      case 'Quantifier':
        this.#quantifier(element);
        return;
      case 'Assertion':
        this.#assertion(element);
        return;
      default:
        throw unknownPart(element.raw);
    }
  }

  #quantifier({ element, min, max, greedy }: AST.Quantifier): void {
    if (isCharacter(element) && greedy && max === Infinity) {
      this.#add(OP.run, this.#set(element.raw), min);
      return;
    }
    for (let i = 0; i < min; i++) this.#element(element);
    if (max === Infinity) this.#loop(element, greedy);
    else this.#optional(element, { count: max - min, greedy });
  }

  /** `element*`, or `element*?` if it is not greedy. */
  #loop(element: AST.QuantifiableElement, greedy: boolean): void {
    const split = this.#split(greedy);
    this.#iteration(element);
    this.#add(OP.jump, split);
    this.#pointHere(split, greedy ? 2 : 1);
  }

  /** `element{0,count}`; each iteration is tried only after the one before it. */
  #optional(
    element: AST.QuantifiableElement,
    { count, greedy }: { count: number; greedy: boolean },
  ): void {
    const splits: number[] = [];
    for (let i = 0; i < count; i++) {
      splits.push(this.#split(greedy));
      this.#iteration(element);
    }
    for (const split of splits) this.#pointHere(split, greedy ? 2 : 1);
  }

  /** An iteration beyond the least number, which must match something. */
  #iteration(element: AST.QuantifiableElement): void {
    const register = isCharacter(element) ? null : this.#registers++;
    if (register !== null) this.#add(OP.mark, register);
    this.#element(element);
    if (register !== null) this.#add(OP.moved, register);
  }

  /** Continues behind it first if it is greedy; the other way is still to be set. */
  #split(greedy: boolean): number {
    const next = this.#next + 1;
    return greedy ? this.#add(OP.split, next) : this.#add(OP.split, 0, next);
  }

  #assertion(assertion: AST.Assertion): void {
    switch (assertion.kind) {
      case 'start':
        this.#add(OP.start);
        return;
      case 'end':
        this.#add(OP.end);
        return;
      case 'lookahead': {
        const ahead = this.#add(assertion.negate ? OP.notAhead : OP.ahead);
        this.#alternatives(assertion.alternatives);
        this.#add(OP.match);
        this.#pointHere(ahead, 1);
        return;
      }
      case 'lookbehind': {
        const [alternative, ...others] = assertion.alternatives;
        const [character, ...more] = alternative?.elements ?? [];
        if (!character || !isCharacter(character) || others.length + more.length > 0)
          throw unknownPart(assertion.raw);
        this.#add(OP.behind, this.#set(character.raw), assertion.negate ? 0 : 1);
        return;
      }
      default:
        throw unknownPart(assertion.raw);
    }
  }
}

function isCharacter({ type }: AST.Element): boolean {
  return type === 'Character' || type === 'CharacterSet' || type === 'CharacterClass';
}
