/** optimizer.safetensors: the optimizer's moments, named as in PyTorch's optimizer state. */
import { MOMENTS } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { listParameters } from '../model/parameters.ts';
import { allFinite } from './dtype.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { FILES } from './folder.ts';
import { valuesOf } from './hf_weights.ts';
import type { ObjectiveTensors } from './objective_tensors.ts';
import { readSafetensors, readTensor, writeSafetensors } from './safetensors.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Shapes of everything that may have moments. A reference copy may have the name of a parameter; the
 * moments then belong to the parameter, because references are frozen.
 */
export function trainableShapes(model: ResolvedModel, extra: ObjectiveTensors): Shapes {
  const shapes = new Map<string, readonly number[]>();
  for (const [name, { shape }] of extra) shapes.set(name, shape);
  for (const { name, shape } of listParameters(model)) shapes.set(name, shape);
  return shapes;
}

/**
 * Encodes the moments, sorted by name. Parameters without moments are frozen. Throws
 * `unexpected_tensor` or `shape_mismatch`.
 */
export function writeMoments(
  shapes: Shapes,
  moments: ReadonlyMap<string, Float32Array>,
): Uint8Array {
  return writeSafetensors(
    [...moments.keys()].sort().map((name) => {
      const shape = momentShape(shapes, name);
      const data = valuesOf(moments, name, shape);
      return { name, shape, write: (out) => out.set(data) };
    }),
  );
}

/** Throws what `readSafetensors` throws, `unexpected_tensor`, `shape_mismatch` and `not_finite`. */
export function readMoments(shapes: Shapes, bytes: Uint8Array): Map<string, Float32Array> {
  const moments = new Map<string, Float32Array>();
  for (const [name, view] of readSafetensors(bytes, FILES.optimizer).tensors) {
    const shape = momentShape(shapes, name);
    if (view.shape.join() !== shape.join()) {
      const what = `${shorten(name)} has the shape [${view.shape.join(', ')}], but the model has [${shape.join(', ')}]`;
      throw damaged('shape_mismatch', FILES.optimizer, what);
    }
    const values = readTensor(view);
    if (!allFinite(view) || isNegative(name, values)) {
      const what = `${shorten(name)} has values that no optimizer makes`;
      throw damaged('not_finite', FILES.optimizer, what);
    }
    moments.set(name, values);
  }
  return moments;
}

/** Averages of squares are not negative. */
const isNegative = (name: string, values: Float32Array): boolean =>
  name.startsWith('exp_avg_sq.') && values.some((value) => value < 0);

/** The shape of the parameter that a moment `MOMENT.NAME` belongs to. */
function momentShape(shapes: Shapes, key: string): readonly number[] {
  const dot = key.indexOf('.');
  const shape = shapes.get(key.slice(dot + 1));
  if (shape && MOMENTS.some((moment) => moment === key.slice(0, dot))) return shape;
  throw new CheckpointError(
    'unexpected_tensor',
    `${FILES.optimizer} has moments ${shorten(key)}, which belong to no parameter of this run.`,
    'Remove optimizer.safetensors and training_state.json to keep only the weights.',
  );
}
