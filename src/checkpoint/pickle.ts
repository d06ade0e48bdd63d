/** Python pickles can run code when they are loaded, so they are detected and refused. */
import { CheckpointError, shorten } from './error.ts';

const PICKLE_NAMES = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;

/** True for the file names that PyTorch uses for pickles. */
export const hasPickleName = (path: string): boolean => PICKLE_NAMES.test(path);

/** True for a pickle of protocol 2 to 5, or a zip with a `data.pkl` as `torch.save` writes it. */
export function looksLikePickle(bytes: Uint8Array): boolean {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return hasPickleMember(bytes);
  const protocol = bytes[1] ?? 0;
  // A safetensors file with a header of 640 bytes also starts with 80 02, but continues with "{".
  return bytes[0] === 0x80 && protocol >= 2 && protocol <= 5 && bytes[8] !== 0x7b;
}

/**
 * `torch.save` stores data.pkl first and lists it in the directory at the end of the zip, so looking
 * at the first and the last 64 kB is enough.
 */
function hasPickleMember(bytes: Uint8Array): boolean {
  const latin = new TextDecoder('latin1');
  const edge = 1 << 16;
  return [bytes.subarray(0, edge), bytes.subarray(-edge)].some((part) =>
    /(^|[^\w])data\.pkl/.test(latin.decode(part)),
  );
}

/** Throws `pickle` if the file is one. */
export function refusePickle(bytes: Uint8Array, file: string): void {
  if (looksLikePickle(bytes)) throw pickleError(file);
}

export const pickleError = (file: string): CheckpointError =>
  new CheckpointError(
    'pickle',
    `${shorten(file)} is a Python pickle, which can run code when it is opened, so Terrarium does not open it.`,
    'Convert it in Python with model.save_pretrained(folder, safe_serialization=True) and bring that folder.',
  );
