/** Sources of generated kernels, kept for the next layer that needs them. */

/**
 * `generate`, called once for equal arguments. Layers of one size share their kernels, and without
 * this generating text would be half the time of tracing a model. Arguments must be plain data or
 * Sets of it; the result must depend on nothing else.
 */
export function remembered<A extends readonly unknown[]>(
  generate: (...args: A) => string,
): (...args: A) => string {
  const known = new Map<string, string>();
  return (...args) => {
    const key = JSON.stringify(args, setsAsLists);
    const found = known.get(key);
    if (found !== undefined) return found;
    const code = generate(...args);
    known.set(key, code);
    return code;
  };
}

const setsAsLists = (_name: string, value: unknown): unknown =>
  value instanceof Set ? [...value] : value;
