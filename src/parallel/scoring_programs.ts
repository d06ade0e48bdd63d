/** Programs that score the rows of this rank, with all layers in one program or as a pipeline. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Program, readback, submitWithBoundaries } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import {
  type ParameterSource,
  targetLogps,
  tokenLogps,
  valueProgram,
  writeInputs,
} from '../model/index.ts';
import { REFERENCE, tracedValues } from '../objectives/index.ts';
import { prepareFor } from './prepare.ts';
import type { RankParts } from './rank_parts.ts';
import { type ForwardOptions, PipelineForward } from './stage_forward.ts';

/** Scores depend on the weights and the batch alone. */
const NO_RANDOMNESS = { seed: 0, step: 0 };

export interface ScoringProgram {
  /** Values of this rank's rows. In a pipeline all ranks must call it, and all get the values. */
  run(rows: Batch): Promise<Float32Array<ArrayBuffer>>;
  readonly ownBytes: number;
  /** Bytes that it needs of the scratch that all programs share. */
  readonly scratchBytes: number;
  dispose(): void;
}

/** Log-probability of each target under `weights`. `what` is the name of the program's messages. */
export async function logpsProgram(
  parts: RankParts,
  what: string,
  weights: ParameterSource,
): Promise<ScoringProgram> {
  if (parts.mesh.pp > 1)
    return pipelined(parts, { tag: what, weights, models: [''], end: targetLogps });
  const program = await tokenLogps(pooled(parts), weights);
  return unpipelined(parts, program, () => program.outputs.logps);
}

/** The program of `Objective.programs` with this name. @throws Error if there is none */
export async function namedProgram(parts: RankParts, name: string): Promise<ScoringProgram> {
  const { mesh, stores, objective, setting, reference } = parts;
  const traced = objective.programs[name];
  if (!traced) throw new Error(`The objective ${objective.name} has no program ${name}.`);
  if (mesh.pp === 1) {
    const trace = tracedValues(traced, setting);
    const program = await valueProgram(pooled(parts), { name, reference }, trace);
    return unpipelined(parts, program, () => program.outputs.values);
  }
  const { model, values } = traced;
  const isReference = model === REFERENCE;
  const weights = isReference ? reference : stores.weights;
  if (!weights) throw new Error('This stage has no reference weights.');
  return pipelined(parts, {
    tag: `values ${name}`,
    weights,
    models: [isReference ? '' : model],
    end: (context) => values(context, setting),
  });
}

/** Scores are computed between micro-batches, so their programs can share the same pool. */
const pooled = ({ stores, microBatches }: RankParts) => ({ ...stores, pool: microBatches.pool });

/** `values` is called after each run, because without replay the output exists only then. */
function unpipelined(
  { stores }: RankParts,
  program: Program,
  values: () => Tensor,
): ScoringProgram {
  return {
    run: async (rows) => {
      writeInputs(stores.inputs, prepareFor(stores, rows), NO_RANDOMNESS);
      await submitWithBoundaries([program]);
      const [read] = await readback([values()]);
      return Float32Array.from(read ?? []);
    },
    ownBytes: program.ownBytes,
    scratchBytes: program.scratchBytes,
    dispose: () => program.dispose(),
  };
}

async function pipelined(parts: RankParts, options: ForwardOptions): Promise<ScoringProgram> {
  const forward = await PipelineForward.create(parts, options);
  const { programs } = forward;
  return {
    run: (rows) => forward.runForAll(rows, NO_RANDOMNESS),
    ownBytes: programs.reduce((sum, { ownBytes }) => sum + ownBytes, 0),
    scratchBytes: Math.max(...programs.map(({ scratchBytes }) => scratchBytes)),
    dispose: () => forward.dispose(),
  };
}
