/** Adapters merged into the weights that they update, on the host. */
import type { ResolvedModel } from '../config/index.ts';
import { loraLayers } from './adapter_parameters.ts';

/** A tensor of a checkpoint beside the model's own. */
interface HostMatrix {
  shape: readonly number[];
  data: Float32Array;
}

/**
 * The parameters with W + scale A B in place of W for every layer that has adapters (PEFT's
 * `merge_and_unload`). Sums are taken in float64 and rounded once. Parameters without adapters are
 * the same arrays; adapters of other names are ignored.
 *
 * @throws RangeError if one matrix of a pair is missing, or if shapes do not fit
 */
export function mergeAdapters(
  model: ResolvedModel,
  parameters: ReadonlyMap<string, Float32Array>,
  adapters: ReadonlyMap<string, HostMatrix>,
  scale: number,
): Map<string, Float32Array> {
  const merged = new Map(parameters);
  // The rank of each layer is that of its tensors, so any rank finds their names.
  for (const layer of loraLayers(model, { r: 1, target_modules: 'all-linear' })) {
    const a = adapters.get(layer.a.name);
    const b = adapters.get(layer.b.name);
    if (!a && !b) continue;
    const name = `${layer.name}.weight`;
    const weight = parameters.get(name);
    if (!a || !b || !weight) throw new RangeError(`The adapter of ${layer.name} is incomplete.`);
    merged.set(name, withUpdate(weight, { a, b, scale, parts: layer.parts }));
  }
  return merged;
}

interface Update {
  a: HostMatrix;
  b: HostMatrix;
  scale: number;
  parts: readonly number[];
}

/** weight [in, out] + scale A B, part by part. */
function withUpdate(weight: Float32Array, { a, b, scale, parts }: Update): Float32Array {
  const [inputs = 0, columns = 0] = a.shape;
  const [r = 0, outputs = 0] = b.shape;
  if (columns !== r * parts.length || weight.length !== inputs * outputs) {
    throw new RangeError(
      `Adapters of shapes [${a.shape.join(', ')}] and [${b.shape.join(', ')}] do not fit a layer of ` +
        `${weight.length} weights in ${parts.length} parts.`,
    );
  }
  const result = new Float32Array(weight.length);
  const row = new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    row.fill(0);
    let start = 0;
    parts.forEach((width, part) => {
      for (let k = 0; k < r; k++) {
        const factor = scale * (a.data[i * columns + part * r + k] ?? NaN);
        const from = k * outputs;
        for (let j = start; j < start + width; j++) {
          row[j] = (row[j] ?? NaN) + factor * (b.data[from + j] ?? NaN);
        }
      }
      start += width;
    });
    for (let j = 0; j < outputs; j++) {
      result[i * outputs + j] = (weight[i * outputs + j] ?? NaN) + (row[j] ?? NaN);
    }
  }
  return result;
}
