/** Sets of characters, such as [^\s\p{L}], with the answer for each character kept in a table. */

const UNKNOWN = 0;
const NO = 1;
const YES = 2;

const BASIC_PLANE = 0x10000;

export class CharacterSet {
  readonly #expression: RegExp;
  /** What is known of each character of the basic plane. */
  readonly #known = new Uint8Array(BASIC_PLANE).fill(UNKNOWN);

  /** @param source One character, escape or class of a regular expression with the flag u. */
  constructor(source: string) {
    this.#expression = new RegExp(`^${source}$`, 'u');
  }

  has(point: number): boolean {
    if (point >= BASIC_PLANE) return this.#expression.test(String.fromCodePoint(point));
    const known = this.#known[point]!;
    if (known !== UNKNOWN) return known === YES;
    const isMember = this.#expression.test(String.fromCharCode(point));
    this.#known[point] = isMember ? YES : NO;
    return isMember;
  }
}
