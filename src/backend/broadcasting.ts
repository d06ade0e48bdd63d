/** Broadcasting of two operands, as rows of values with a step for each operand. */
import { broadcast_util, util } from '@tensorflow/tfjs-core';

export interface RowsAndSteps {
  shape: number[];
  rows: number;
  width: number;
  /** From row to row and from value to value of the first operand, then those of the second. */
  steps: [number, number, number, number];
}

/** Adjacent axes along which the same operands vary. */
interface Axes {
  size: number;
  varies: [boolean, boolean];
}

/**
 * How two operands lie beside their result: each varies, or not, along its rows and along the values
 * of a row. Throws if they need more than that, such as three axes that alternate.
 */
export function rowsAndSteps(
  name: string,
  a: readonly number[],
  b: readonly number[],
): RowsAndSteps {
  const shape = broadcast_util.assertAndGetBroadcastShape([...a], [...b]);
  const groups = groupsOf(shape, a, b);
  const [outer, inner] = groups.length > 1 ? groups : [undefined, groups[0]];
  if (groups.length > 2)
    throw new Error(
      `${name} on the processor does not support [${a.join(', ')}] with [${b.join(', ')}].`,
    );
  const stepsOf = (operand: 0 | 1): [number, number] => {
    const step = inner?.varies[operand] ? 1 : 0;
    const row = step ? (inner?.size ?? 1) : 1;
    return [outer?.varies[operand] ? row : 0, step];
  };
  const width = inner?.size ?? 1;
  const rows = util.sizeFromShape(shape) / width;
  return { shape, rows, width, steps: [...stepsOf(0), ...stepsOf(1)] };
}

function groupsOf(shape: readonly number[], a: readonly number[], b: readonly number[]): Axes[] {
  const groups: Axes[] = [];
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const variesOf = (operand: readonly number[]): boolean =>
      (operand[axis - shape.length + operand.length] ?? 1) > 1;
    const varies: [boolean, boolean] = [variesOf(a), variesOf(b)];
    const last = groups.at(-1);
    if (last && last.varies.every((one, i) => one === varies[i])) last.size *= size;
    else groups.push({ size, varies });
  });
  return groups;
}
