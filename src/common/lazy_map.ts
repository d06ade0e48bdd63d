/**
 * A map whose values are made whenever they are read, and not kept. Weights of an imported model are
 * one: decoded all at once, they would take several times the memory of their file.
 */
export class LazyMap<Value> implements ReadonlyMap<string, Value> {
  readonly #names: ReadonlySet<string>;
  readonly #read: (name: string) => Value;

  /** @param read Gives the value of one of the names; the same one each time. */
  constructor(names: Iterable<string>, read: (name: string) => Value) {
    this.#names = new Set(names);
    this.#read = read;
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  get(name: string): Value | undefined {
    return this.#names.has(name) ? this.#read(name) : undefined;
  }

  forEach(visit: (value: Value, name: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [name, value] of this) visit(value, name, this);
  }

  *entries(): MapIterator<[string, Value]> {
    for (const name of this.#names) yield [name, this.#read(name)];
    return undefined;
  }

  keys(): MapIterator<string> {
    return this.#names.values();
  }

  *values(): MapIterator<Value> {
    for (const name of this.#names) yield this.#read(name);
    return undefined;
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }
}
