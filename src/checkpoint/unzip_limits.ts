/**
 * How large a zip may be when it is unpacked. Compression alone says little: moments that are still
 * zero shrink to a thousandth. What counts is whether the files of a checkpoint explain the size.
 */
import { FILES } from './folder.ts';

export interface PackedFile {
  path: string;
  /** Bytes in the archive. */
  packed: number;
  /** Bytes when unpacked. */
  size: number;
}

/** Weights are random numbers at first and hardly shrink; half of each may be zeros. */
const WEIGHTS_RATIO = 8;
/** Two moments of each weight; tensors of an objective may be a copy of the weights and a head. */
const PER_WEIGHT = new Map<string, number>([
  [FILES.optimizer, 2],
  [FILES.objective, 2],
]);
const MB = 2 ** 20;
/**
 * Text that repeats itself shrinks to almost nothing. All files of a name in an archive may take this
 * many bytes together.
 */
const TEXTS = {
  [FILES.tokenizer]: 32 * MB,
  [FILES.metrics]: 32 * MB,
  'samples.jsonl': 32 * MB,
  'text.bin': 128 * MB,
};
/** Deflate cannot shrink anything further (RFC 1951: 258 bytes by two bits). */
const MAX_RATIO = 1032;
/** Bytes of a header, or of a small file, that nothing else explains. */
const SLACK = 64 * 1024;

/** Whether files that nothing explains take more than twice the archive and 1 MB. */
export function isBomb(files: readonly PackedFile[], archive: number): boolean {
  const weights = new Map<string, number>();
  for (const { path, packed, size } of files) {
    const { folder, name } = partsOf(path);
    if (!name.endsWith('.safetensors') || PER_WEIGHT.has(name)) continue;
    const explained = Math.min(size, WEIGHTS_RATIO * packed);
    weights.set(folder, (weights.get(folder) ?? 0) + explained);
  }
  const texts = new Map<string, number>(Object.entries(TEXTS));
  const unexplained = files.reduce((sum, { path, packed, size }) => {
    const { folder, name } = partsOf(path);
    const perWeight = PER_WEIGHT.get(name);
    const text = texts.get(name);
    let explained = name.endsWith('.safetensors') ? WEIGHTS_RATIO * packed : 0;
    if (perWeight !== undefined) explained = perWeight * (weights.get(folder) ?? 0) + SLACK;
    if (text !== undefined) {
      explained = Math.min(text, size, MAX_RATIO * packed);
      texts.set(name, text - explained);
    }
    return sum + Math.max(0, size - explained);
  }, 0);
  return unexplained > 2 * archive + MB;
}

function partsOf(path: string): { folder: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { folder: path.slice(0, slash + 1), name: path.slice(slash + 1) };
}
