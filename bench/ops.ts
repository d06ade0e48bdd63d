/**
 * Times each operation by itself at the sizes of a training step: its kernel, its reference in tfjs
 * ops, and a copy of the same bytes, each replayed many times in one submit. Tensors that fit the
 * GPU's cache are therefore faster here than in a step.
 */
import '../src/ops/alignment.ts';
import '../src/ops/parallel.ts';
import '../src/ops/generation.ts';
import { allOps, type OpBench, type OpDefinition, prepareMatmuls } from '../src/ops/index.ts';
import type { ConfigName } from './configs.ts';
import { startDevice } from './device.ts';
import { type OpRow, OpTimer } from './op_timer.ts';
import { benchInputs, benchSizes } from './ops_list.ts';

/** Entries of an operation; by default those of its record. */
export type EntriesOf = <I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
) => readonly OpBench<I, A>[];

export interface OpsOptions {
  size: ConfigName;
  /** Names, or parts of names, separated by commas; null selects all operations. */
  only: string | null;
  log: (line: string) => void;
  /** Receives the rows so far. */
  keep: (rows: OpRow[]) => void;
  entriesOf?: EntriesOf;
}

export const recordEntries =
  (size: ConfigName): EntriesOf =>
  (op) =>
    op.bench?.(benchSizes(size), benchInputs) ?? [];

/**
 * Measures operations one after another. If one fails, its row has the reason and the next ones are
 * still measured; after the loss of the device they are not.
 */
export async function measureOps(options: OpsOptions): Promise<OpRow[]> {
  const { size, log, keep, entriesOf = recordEntries(size) } = options;
  const device = await startDevice({ backend: 'webgpu' });
  const { errors, lost } = device;
  const wanted = options.only?.split(',') ?? [''];
  await prepareMatmuls();
  const timer = new OpTimer(size, device.device.adapter, errors);
  const rows: OpRow[] = [];
  for (const any of allOps().filter(({ name }) => wanted.some((part) => name.includes(part))))
    await any.visit(async (op) => {
      for (const entry of entriesOf(op)) {
        if (lost()) {
          rows.push(timer.unmeasured(op, entry, errors[0] ?? 'The GPU device was lost.'));
          continue;
        }
        const row = await timer.measure(op, entry);
        rows.push(row);
        keep(rows);
        log(lineOf(row));
      }
    });
  timer.dispose();
  return rows;
}

function lineOf({ op, title, ms, referenceMs, copyMs, why }: OpRow): string {
  const shown = (value: number | null): string => value?.toFixed(4) ?? '-';
  const times = `${shown(ms)} ms, reference ${shown(referenceMs)}, copy ${shown(copyMs)}`;
  return `${op} ${title}: ${times}${why ? ` (${why})` : ''}`;
}
