/** More rows of the vocabulary, for tokens that a stage adds. */
import { LazyMap } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { initialValues } from './init.ts';
import { embeddingName, headName } from './layout.ts';

/**
 * Parameters of a model whose vocabulary grew to `vocab_size`: the new rows of the embedding, and of
 * an untied head, are drawn from a normal distribution with the mean and the standard deviation of
 * each column of the old rows, much as transformers' `resize_token_embeddings` does. Rows close to
 * the mean would not do: an adapter, which does not change them, could not tell them apart. The
 * others stay as they are.
 */
export function withVocabulary(
  parameters: ReadonlyMap<string, Float32Array>,
  model: ResolvedModel,
  { vocab_size, seed }: { vocab_size: number; seed: number },
): ReadonlyMap<string, Float32Array> {
  if (vocab_size <= model.vocab_size) return parameters;
  const growing = new Set([embeddingName(model), headName(model)]);
  return new LazyMap(parameters.keys(), (name) => {
    const values = parameters.get(name) ?? new Float32Array();
    return growing.has(name) ? withRows(values, model.n_embd, vocab_size, seed) : values;
  });
}

function withRows(
  old: Float32Array,
  width: number,
  vocab_size: number,
  seed: number,
): Float32Array {
  const count = old.length / width;
  const mean = new Float64Array(width);
  const variance = new Float64Array(width);
  old.forEach((value, i) => {
    mean[i % width] = (mean[i % width] ?? 0) + value / count;
  });
  old.forEach((value, i) => {
    const column = i % width;
    variance[column] = (variance[column] ?? 0) + (value - (mean[column] ?? 0)) ** 2 / count;
  });
  const all = new Float32Array(vocab_size * width);
  all.set(old);
  const shape = [vocab_size - count, width];
  const init = { kind: 'normal', std: 1 } as const;
  const added = initialValues({ name: 'added rows', shape, init }, seed);
  added.forEach((noise, i) => {
    const column = i % width;
    all[old.length + i] = (mean[column] ?? 0) + noise * Math.sqrt(variance[column] ?? 0);
  });
  return all;
}
