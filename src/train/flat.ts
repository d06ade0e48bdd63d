/** The parameters of a store as one array, for programs that exchange them between machines. */
import type { Store } from '../backend/index.ts';

type FlatStore = Pick<Store, 'names' | 'read' | 'write' | 'get'>;

/** All values of a store after all submitted programs, tensor after tensor in the store's order. */
export async function readFlat(store: FlatStore): Promise<Float32Array> {
  const values = [...(await store.read()).values()];
  const flat = new Float32Array(values.reduce((sum, one) => sum + one.length, 0));
  let offset = 0;
  for (const one of values) {
    flat.set(one, offset);
    offset += one.length;
  }
  return flat;
}

/** Writes what `readFlat` gives. Throws RangeError unless there are as many values. */
export function writeFlat(store: FlatStore, values: Float32Array): void {
  const sizes = store.names.map((name) => store.get(name).size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (values.length !== total) {
    throw new RangeError(`The model has ${total} parameters that train, not ${values.length}.`);
  }
  let offset = 0;
  store.names.forEach((name, i) => {
    const size = sizes[i] ?? 0;
    store.write(name, values.subarray(offset, offset + size));
    offset += size;
  });
}
