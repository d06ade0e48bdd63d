/** objective.safetensors: tensors that an objective keeps beside the model's weights. */
import type { ObjectiveTensor } from './checkpoint_state.ts';
import { allFinite } from './dtype.ts';
import { CheckpointError, shorten } from './error.ts';
import { FILES } from './folder.ts';
import { notFinite } from './hf_weights.ts';
import { readSafetensors, readTensor, writeSafetensors } from './safetensors.ts';

export type ObjectiveTensors = ReadonlyMap<string, ObjectiveTensor>;

/** Encodes the tensors, sorted by name. Throws `shape_mismatch`, `forbidden_name` or `too_large`. */
export function writeObjectiveTensors(tensors: ObjectiveTensors): Uint8Array {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  return writeSafetensors(
    sorted.map(([name, { shape, data }]) => {
      checkTensor(name, shape, data.length);
      return { name, shape, write: (out) => out.set(data) };
    }),
  );
}

/**
 * Throws what `readSafetensors` throws, `bad_dtype` for tensors that are not F32, F16 or BF16, and
 * `not_finite`.
 */
export function readObjectiveTensors(
  bytes: Uint8Array,
  file: string = FILES.objective,
): Map<string, ObjectiveTensor> {
  const tensors = new Map<string, ObjectiveTensor>();
  for (const [name, view] of readSafetensors(bytes, file).tensors) {
    if (!allFinite(view)) throw notFinite(name);
    const data = readTensor(view);
    tensors.set(name, { shape: view.shape, data });
  }
  return tensors;
}

function checkTensor(name: string, shape: readonly number[], length: number): void {
  // Both names have a meaning of their own in the header, and could not be read back.
  if (name === '__metadata__' || name === '__proto__') {
    throw new CheckpointError(
      'forbidden_name',
      `A tensor of the objective cannot have the name ${name}.`,
      'Rename the tensor.',
    );
  }
  const size = shape.reduce((product, n) => product * n, 1);
  if (size === length) return;
  throw new CheckpointError(
    'shape_mismatch',
    `The tensor ${shorten(name)} has ${length} values, but its shape [${shape.join(', ')}] needs ${size}.`,
    'Reload the page and resume the run from its last checkpoint.',
  );
}
