/**
 * The slices of a model's parameters that one rank of tensor parallelism holds.
 *
 * - Projections of queries, keys, values, gate and up are split by columns, with their biases. Of
 *   parts that are packed side by side, a rank holds its share of each.
 * - The last projection of a branch is split by rows. Its bias belongs to the first rank alone, which
 *   adds it before the sum over the ranks. (In Megatron-LM every rank has it and adds it afterwards.)
 * - The embedding and the head are split by rows.
 * - Of adapters (LoRA), the matrix on the side that the layer is split on is split likewise. The other
 *   one is whole on every rank, and each computes a part of its gradient: x (A B) is a sum over ranks
 *   where x is split, and A gets gradients from the columns of B where those are.
 * - Norms, the position embedding and scalar heads are replicated. Every rank computes their whole
 *   gradients, except those of QK-norm, which it applies to its own heads only.
 */
import { adapterMatrix, listParameters, type Parameter } from '../model/index.ts';
import { type LocalParameter, wholeParameter } from './local_parameters.ts';
import { type Range, rangeOf, type TensorPart, vocabularyOf } from './tensor_model.ts';

/** The parameters of a run as this rank holds them, in their order, without those of other ranks. */
export function tensorParallelParameters(
  wholes: readonly Parameter[],
  part: TensorPart,
): LocalParameter[] {
  const modelNames = new Set(listParameters(part.model).map(({ name }) => name));
  return wholes.flatMap((whole, index): LocalParameter[] => {
    const parameter = wholeParameter(whole, index);
    const isOfModel = [whole.name, withoutPrefix(whole.name)].some((name) => modelNames.has(name));
    const split = isOfModel ? splitOf(whole.name) : splitOfObjective(whole);
    if (split === 'first rank') return part.index === 0 ? [parameter] : [];
    if (split === 'replicated') return [parameter];
    if (split === 'partial gradient') return [{ ...parameter, partial_gradient: true }];
    return [sliced(parameter, sliceOf(whole, split, part))];
  });
}

/** PPO's value and reward models are split as the policy is. */
const withoutPrefix = (name: string): string => name.slice(name.indexOf('.') + 1);

/** Whether a linear layer is split by rows, so that its products are added up over the ranks. */
export const isRowParallel = (layer: string): boolean => SPLITS[moduleOf(layer)] === 'rows';

/** Whether a linear layer is split by columns, so that each rank has some of its outputs. */
export const isColumnParallel = (layer: string): boolean =>
  SPLITS[moduleOf(layer)]?.endsWith('columns') ?? false;

type SlicedBy = 'q, k, v columns' | 'inner columns' | 'rows' | 'vocabulary';
type Split = SlicedBy | 'first rank' | 'partial gradient' | 'replicated';

/** By the last component of a module's name; modules that are missing here are replicated. */
const SPLITS: Readonly<Partial<Record<string, Split>>> = {
  c_attn: 'q, k, v columns',
  qkv_proj: 'q, k, v columns',
  c_fc: 'inner columns',
  gate_up_proj: 'inner columns',
  c_proj: 'rows',
  o_proj: 'rows',
  down_proj: 'rows',
  wte: 'vocabulary',
  embed_tokens: 'vocabulary',
  lm_head: 'vocabulary',
  q_norm: 'partial gradient',
  k_norm: 'partial gradient',
};

const moduleOf = (layer: string): string => layer.slice(layer.lastIndexOf('.') + 1);

function splitOf(name: string): Split {
  const end = name.lastIndexOf('.');
  const split = SPLITS[moduleOf(name.slice(0, end))] ?? 'replicated';
  return split === 'rows' && name.endsWith('.bias') ? 'first rank' : split;
}

/** Objectives may add a scalar head, and stages adapters. @throws Error for anything else */
function splitOfObjective({ name, kind }: Parameter): Split {
  if (kind === 'head') return 'replicated';
  const adapter = adapterMatrix(name);
  if (adapter) {
    const split = SPLITS[moduleOf(adapter.layer)] ?? 'replicated';
    const isSplit = (split === 'rows') === (adapter.matrix === 'a');
    return isSplit ? split : 'partial gradient';
  }
  throw new Error(`Tensor parallelism cannot share out the parameter ${name}: choose tp 1.`);
}

/** A rectangle of a matrix, of which only some columns are taken. A vector is one row. */
interface Slice {
  rows: Range;
  /** Parts of a row, side by side in the slice. */
  columns: readonly Range[];
  /** Columns of the whole matrix. */
  width: number;
}

function sliceOf({ shape }: Parameter, split: SlicedBy, part: TensorPart): Slice {
  const width = shape.at(-1) ?? 1;
  const rows = shape.length > 1 ? (shape[0] ?? 1) : 1;
  const columns = [{ start: 0, end: width }];
  switch (split) {
    case 'rows':
      return { rows: rangeOf(rows, part), columns, width };
    case 'vocabulary':
      return { rows: vocabularyOf(part), columns, width };
    default:
      return {
        rows: { start: 0, end: rows },
        columns: shares(widths(split, part, width), part),
        width,
      };
  }
}

/** Widths of the matrices that are packed side by side in one parameter. */
function widths(
  split: 'q, k, v columns' | 'inner columns',
  { model }: TensorPart,
  width: number,
): number[] {
  switch (split) {
    case 'q, k, v columns':
      return [model.n_head, model.n_kv_head, model.n_kv_head].map((n) => n * model.head_dim);
    case 'inner columns':
      return new Array<number>(width / model.n_inner).fill(model.n_inner);
    default:
      return split satisfies never;
  }
}

/** The columns of the rank in each of these matrices, which lie side by side. */
function shares(parts: readonly number[], part: TensorPart): Range[] {
  let first = 0;
  return parts.map((size) => {
    const { start, end } = rangeOf(size, part);
    const range = { start: first + start, end: first + end };
    first += size;
    return range;
  });
}

const lengthOf = ({ start, end }: Range): number => end - start;

/** A parameter of which the rank holds only `slice`. */
function sliced(parameter: LocalParameter, slice: Slice): LocalParameter {
  const { whole } = parameter;
  const rows = lengthOf(slice.rows);
  const columns = slice.columns.reduce((sum, range) => sum + lengthOf(range), 0);
  const shape = whole.shape.length > 1 ? [rows, columns] : [columns];
  return {
    ...parameter,
    parameter: { ...whole, shape, parts: [] },
    take: (values) => {
      const taken = new Float32Array(rows * columns);
      forEachRun(slice, ({ start, end }, offset) => taken.set(values.subarray(start, end), offset));
      return taken;
    },
    put: (into, values) => {
      forEachRun(slice, (range, offset) =>
        into.set(values.subarray(offset, offset + lengthOf(range)), range.start),
      );
    },
    replicated: false,
  };
}

/**
 * Visits the runs of consecutive values of a slice: `range` is where a run lies in the whole parameter,
 * and `offset` where it begins in the slice.
 */
function forEachRun(
  { rows, columns, width }: Slice,
  visit: (range: Range, offset: number) => void,
): void {
  let offset = 0;
  for (let row = rows.start; row < rows.end; row++) {
    for (const { start, end } of columns) {
      visit({ start: row * width + start, end: row * width + end }, offset);
      offset += end - start;
    }
  }
}
