/** The files of a Hugging Face model folder. Weights are in one file or split into shards. */
import { BUNDLE_FILE, BUNDLE_VERSION } from './bundle_version.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { isRecord, parseRecord } from './json.ts';
import { hasPickleName, looksLikePickle, pickleError } from './pickle.ts';
import { readSafetensors, type TensorView } from './safetensors.ts';

/** Contents by path, relative to the folder. */
export type Files = ReadonlyMap<string, Uint8Array>;

export const FILES = {
  config: 'config.json',
  generation: 'generation_config.json',
  weights: 'model.safetensors',
  index: 'model.safetensors.index.json',
  tokenizer: 'tokenizer.json',
  tokenizerConfig: 'tokenizer_config.json',
  optimizer: 'optimizer.safetensors',
  objective: 'objective.safetensors',
  state: 'training_state.json',
  lineage: 'lineage.json',
  stage: 'stage.json',
  chatTemplate: 'chat_template.jinja',
  metrics: 'metrics.jsonl',
} as const;

/** The file that makes a zip a backup of runs (store/backup.ts). */
export const BACKUP_MANIFEST = 'terrarium-backup.json';

/**
 * Returns the files of the least nested folder that contains config.json, with paths relative to
 * it, because people zip or drop folders at any depth. Throws `missing_file`, `pickle`, or
 * `unsupported_model` for a backup, of which it would be any of the runs.
 */
export function findFolder(files: Files): Files {
  if ([...files.keys()].some((path) => path.split('/').pop() === BACKUP_MANIFEST)) {
    throw new CheckpointError(
      'unsupported_model',
      'This file is a backup of runs, not a single model.',
      'Read it under Storage in the list of runs (Runs in the menu).',
    );
  }
  const [config] = [...files.keys()]
    .filter((path) => path === FILES.config || path.endsWith(`/${FILES.config}`))
    .sort((a, b) => a.split('/').length - b.split('/').length);
  if (config === undefined) {
    for (const [path, bytes] of files) {
      if (hasPickleName(path) || looksLikePickle(bytes)) throw pickleError(path);
    }
    throw [...files.keys()].some(isAdapterConfig) ? adapterAlone() : missingFile(FILES.config);
  }
  const base = config.slice(0, -FILES.config.length);
  checkBundle(files, base);
  const found = new Map<string, Uint8Array>();
  for (const [path, bytes] of files) {
    if (path.startsWith(base)) found.set(path.slice(base.length), bytes);
  }
  return found;
}

/** Throws `unknown_version` for the checkpoint of a bundle that a later version of the page wrote. */
function checkBundle(files: Files, base: string): void {
  if (!base.endsWith('checkpoint/')) return;
  const bundle = files.get(base.slice(0, -'checkpoint/'.length) + BUNDLE_FILE);
  if (!bundle) return;
  const record = parseRecord(bundle, BUNDLE_FILE);
  const { bundle_version: version } = record;
  if (version === BUNDLE_VERSION) return;
  const isStated = 'bundle_version' in record;
  const stated = isStated ? `version ${shorten(String(version), 20)}` : 'no version';
  throw new CheckpointError(
    'unknown_version',
    `This bundle for GPUs has ${stated}, and this Terrarium reads version ${BUNDLE_VERSION}.`,
    'Open it with the Terrarium that wrote it, or import its folder checkpoint/ alone.',
  );
}

/** The settings of an adapter that PEFT or Terrarium wrote. */
export const ADAPTER_CONFIG = 'adapter_config.json';
export const isAdapterConfig = (path: string): boolean =>
  path === ADAPTER_CONFIG || path.endsWith(`/${ADAPTER_CONFIG}`);

const adapterAlone = () =>
  new CheckpointError(
    'missing_file',
    'This folder has an adapter (LoRA) without the model that it belongs to.',
    'Bring the folders of the model and of the adapter together.',
  );

/** Returns the file at `path`. Throws `missing_file`. */
export function requireFile(files: Files, path: string): Uint8Array {
  const bytes = files.get(path);
  if (!bytes) throw missingFile(path);
  return bytes;
}

const missingFile = (path: string) =>
  new CheckpointError(
    'missing_file',
    `The folder has no ${shorten(path)}.`,
    'Bring the whole folder: config.json, tokenizer.json and the .safetensors files.',
  );

/** All tensors of the model, from one file or from the shards that the index lists. */
export function weightTensors(files: Files): TensorView[] {
  const whole = files.get(FILES.weights);
  if (whole) return [...readSafetensors(whole, FILES.weights).tensors.values()];
  const index = files.get(FILES.index);
  if (index) return shardTensors(files, index);
  const pickle = [...files.keys()].find(hasPickleName);
  throw pickle === undefined ? missingFile(FILES.weights) : pickleError(pickle);
}

function shardTensors(files: Files, index: Uint8Array): TensorView[] {
  const { weight_map } = parseRecord(index, FILES.index);
  if (!isRecord(weight_map)) throw damaged('bad_header', FILES.index, 'it has no weight_map');
  const shards = new Map<string, ReadonlyMap<string, TensorView>>();
  return Object.entries(weight_map).map(([name, file]) => {
    if (typeof file !== 'string') {
      throw damaged('bad_header', FILES.index, `it gives no file for ${shorten(name)}`);
    }
    const shard = shards.get(file) ?? readSafetensors(requireFile(files, file), file).tensors;
    shards.set(file, shard);
    const view = shard.get(name);
    if (!view) {
      throw new CheckpointError(
        'missing_tensor',
        `The weights ${shorten(name)} are not in ${shorten(file)}, although the index says so.`,
        'Bring the shards that belong to this index.',
      );
    }
    return view;
  });
}
