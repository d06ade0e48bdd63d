/** The files of a Hugging Face model folder: which of them hold the weights, whole or in shards. */
import { CheckpointError, damaged, shorten } from './error.ts';
import { isRecord, parseRecord } from './json.ts';
import { hasPickleName, looksLikePickle, pickleError } from './pickle.ts';
import { readSafetensors, type TensorView } from './safetensors.ts';

export type Files = ReadonlyMap<string, Uint8Array>;

export const FILES = {
  config: 'config.json',
  generation: 'generation_config.json',
  weights: 'model.safetensors',
  index: 'model.safetensors.index.json',
  tokenizer: 'tokenizer.json',
  tokenizerConfig: 'tokenizer_config.json',
  optimizer: 'optimizer.safetensors',
  state: 'training_state.json',
  metrics: 'metrics.jsonl',
} as const;

/**
 * The folder that holds config.json, however deep the person zipped or dropped it. Throws
 * `missing_file` or `pickle`.
 */
export function findFolder(files: Files): Files {
  const places = [...files.keys()]
    .filter((path) => path === FILES.config || path.endsWith(`/${FILES.config}`))
    .sort((a, b) => a.split('/').length - b.split('/').length);
  const [place] = places;
  if (place === undefined) {
    for (const [path, bytes] of files)
      if (hasPickleName(path) || looksLikePickle(bytes)) throw pickleError(path);
    throw missingFile(FILES.config);
  }
  const base = place.slice(0, -FILES.config.length);
  return new Map(
    [...files]
      .filter(([path]) => path.startsWith(base))
      .map(([path, bytes]) => [path.slice(base.length), bytes]),
  );
}

export function requireFile(files: Files, path: string): Uint8Array {
  const bytes = files.get(path);
  if (!bytes) throw missingFile(path);
  return bytes;
}

export const missingFile = (path: string) =>
  new CheckpointError(
    'missing_file',
    `The folder has no ${shorten(path)}.`,
    'Bring the whole folder: config.json, tokenizer.json and the .safetensors files.',
  );

/** All tensors of the model, from one file or from the shards that the index names. */
export function weightTensors(files: Files): TensorView[] {
  const whole = files.get(FILES.weights);
  const index = files.get(FILES.index);
  if (whole) return [...readSafetensors(whole, FILES.weights).tensors.values()];
  if (index) return shardTensors(files, index);
  const pickle = [...files.keys()].find(hasPickleName);
  throw pickle === undefined ? missingFile(FILES.weights) : pickleError(pickle);
}

function shardTensors(files: Files, index: Uint8Array): TensorView[] {
  const { weight_map } = parseRecord(index, FILES.index);
  if (!isRecord(weight_map)) throw damaged('bad_header', FILES.index, 'it has no weight_map');
  const shards = new Map<string, ReadonlyMap<string, TensorView>>();
  return Object.entries(weight_map).map(([name, file]) => {
    if (typeof file !== 'string')
      throw damaged('bad_header', FILES.index, `it names no file for ${shorten(name)}`);
    const shard = shards.get(file) ?? readSafetensors(requireFile(files, file), file).tensors;
    const view = shard.get(name);
    shards.set(file, shard);
    if (!view)
      throw new CheckpointError(
        'missing_tensor',
        `The weights ${shorten(name)} are not in ${shorten(file)}, where the index says that they are.`,
        'Bring the shards that belong to this index.',
      );
    return view;
  });
}
