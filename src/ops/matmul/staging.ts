/**
 * Staging: how an operand's tile goes from memory through the threads' registers to shared memory.
 * A thread moves one unit a step: a vec4, or 4 x 4 values with `blocks`.
 */
import { type Operand, sharedPlace } from './operand.ts';
import { component, lines, range, words } from './text.ts';
import { ThreadUnits } from './thread_units.ts';
import { type Tile, threadsOf } from './tile.ts';
import type { Variant } from './variant.ts';

/**
 * WGSL of one operand's staging. In the variable names of the generated code, p is the operand's
 * prefix, s the step and e the row of the unit:
 *
 * - `pc{s}`: vec4 column along m or n (with `components`: row of m or n)
 * - `pk{s}`: the unit's first step of k in the tile
 * - `pat{s}_{e}`: index in memory of the tile's first k
 * - `p{s}_{e}`: the values, in registers
 */
export class Staging {
  readonly #operand: Operand;
  readonly #units: ThreadUnits;
  /** Rows of memory in a unit. */
  readonly #rows: 1 | 4;
  readonly #k_edge: boolean;

  constructor(operand: Operand, tile: Tile, variant: Variant) {
    this.#operand = operand;
    this.#rows = operand.mode === 'blocks' ? 4 : 1;
    this.#units = new ThreadUnits(
      (operand.block * tile.BK) / (4 * this.#rows),
      operand.mode === 'rows' ? operand.block / 4 : tile.BK / 4,
      threadsOf(tile),
    );
    this.#k_edge = variant.k_edge;
  }

  /** Where the thread's units lie, computed once. */
  setup(): string {
    return lines(this.#units.steps, (s) =>
      this.#operand.mode === 'rows' ? this.#setupRows(s) : this.#setupTransposed(s),
    );
  }

  /** Declares the registers. */
  declare(): string {
    return lines(this.#units.steps, (s) =>
      words(this.#rows, (e) => `var ${this.#register(s, e)} = ${this.#empty};`),
    );
  }

  /** Reads the tile that begins at `k` into registers. */
  load(k: string): string {
    return lines(this.#units.steps, (s) =>
      this.#units.guarded(
        s,
        words(this.#rows, (e) => this.#loadUnit(s, e, k)),
      ),
    );
  }

  /** Adds the registers to `column_sum`. Only for an operand in rows of k. */
  sumColumns(): string {
    return lines(this.#units.steps, (s) =>
      this.#units.guarded(s, `column_sum += ${this.#values(s, 0)};`),
    );
  }

  /** Stores the registers to a buffer of shared memory. */
  store(buffer: number): string {
    return lines(this.#units.steps, (s) => this.#units.guarded(s, this.#storeUnit(s, buffer)));
  }

  /**
   * Whether registers hold float16 values unpacked: they do for an operand in rows of k. On an H100,
   * unpacking those on loading saves 4 percent of dW, and the others on storing 2 percent of A B^T.
   */
  get #unpackedOnLoad(): boolean {
    return this.#operand.float16 && this.#operand.mode === 'rows';
  }

  get #packed(): boolean {
    return this.#operand.float16 && !this.#unpackedOnLoad;
  }

  get #empty(): string {
    return this.#packed ? 'vec2u()' : 'vec4f()';
  }

  #register(s: number, e: number): string {
    return `${this.#operand.prefix}${s}_${e}`;
  }

  #values(s: number, e: number): string {
    return this.#packed ? `from_halves(${this.#register(s, e)})` : this.#register(s, e);
  }

  #clamped(index: string, size: string): string {
    return this.#operand.edge ? `min(${index}, ${size} - 1u)` : `(${index})`;
  }

  #setupRows(s: number): string {
    const { prefix: p, size, first, vec } = this.#operand;
    const column = this.#clamped(`(${first} >> 2u) + ${p}c${s}`, `(${size} >> 2u)`);
    const index = vec ? `${p}k${s} * (${size} >> 2u) + ${column}` : `${first} + ${p}c${s} * 4u`;
    return `let ${p}c${s} = ${this.#units.column(s)};
  let ${p}k${s} = ${this.#units.row(s)};
  let ${p}at${s}_0 = ${index};`;
  }

  #setupTransposed(s: number): string {
    const { prefix: p, size, first, vec } = this.#operand;
    const row = (e: number): string =>
      this.#rows === 4 ? `${first} + ${p}c${s} * 4u + ${e}u` : `${first} + ${p}c${s}`;
    const stride = vec ? `(K >> 2u) + (${p}k${s} >> 2u)` : 'K';
    return `let ${p}c${s} = ${this.#units.row(s)};
  let ${p}k${s} = ${this.#units.column(s)} * 4u;
  ${words(this.#rows, (e) => `let ${p}at${s}_${e} = ${this.#clamped(row(e), size)} * ${stride};`)}`;
  }

  #loadUnit(s: number, e: number, k: string): string {
    const { prefix, mode, vec } = this.#operand;
    const register = this.#register(s, e);
    const value = this.#memoryValue(s, e, k);
    const load = `${register} = ${this.#unpackedOnLoad ? `from_halves(${value})` : value};`;
    if (!this.#k_edge || (!vec && mode !== 'rows')) return load;
    return `${load} if (${k} + ${prefix}k${s} >= k_end) { ${register} = ${this.#empty}; }`;
  }

  /** Four values of memory: one element, or four single values. */
  #memoryValue(s: number, e: number, k: string): string {
    const { name, prefix, mode, size, vec } = this.#operand;
    const at = `${prefix}at${s}_${e}`;
    const step = `${k} + ${prefix}k${s}`;
    if (vec)
      return `${name}[${at} + ${mode === 'rows' ? `${k} * (${size} >> 2u)` : `(${k} >> 2u)`}]`;
    const single = (i: number): string => {
      if (mode === 'rows')
        return `${name}[min(${step}, K - 1u) * ${size} + min(${at} + ${i}u, ${size} - 1u)]`;
      const inside = `${step} + ${i}u < k_end`;
      return `select(0.0, ${name}[${at} + min(${step} + ${i}u, K - 1u)], ${inside})`;
    };
    return `vec4f(${range(4).map(single).join(', ')})`;
  }

  #storeUnit(s: number, buffer: number): string {
    const { prefix: p, mode } = this.#operand;
    const place = (k: string, column: string): string =>
      sharedPlace(this.#operand, k, column, buffer);
    switch (mode) {
      case 'rows':
        return `${place(`${p}k${s}`, `${p}c${s}`)} = ${this.#values(s, 0)};`;
      case 'blocks':
        return words(4, (i) => {
          const column = range(4).map((e) => `${this.#values(s, e)}.${component(i)}`);
          return `${place(`${p}k${s} + ${i}u`, `${p}c${s}`)} = vec4f(${column.join(', ')});`;
        });
      case 'components':
        return words(4, (i) => {
          const element = place(`${p}k${s} + ${i}u`, `${p}c${s} >> 2u`);
          return `${element}[${p}c${s} & 3u] = ${this.#values(s, 0)}.${component(i)};`;
        });
      default:
        return mode satisfies never;
    }
  }
}
