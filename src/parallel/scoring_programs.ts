/** Programs that score the rows of this rank: all layers in one program, or stages of a pipeline. */
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
import { type ForwardHow, PipelineForward } from './stage_forward.ts';

/** Scores depend on the weights and the batch alone. */
const NO_RANDOMNESS = { seed: 0, step: 0 };

export interface ScoringProgram {
  /** Values of the rows of this rank; of a pipeline, on all of its ranks. */
  run(own: Batch): Promise<Float32Array<ArrayBuffer>>;
  readonly ownBytes: number;
  /** Of the scratch that all programs share. */
  readonly scratchBytes: number;
  dispose(): void;
}

/** Log-probability of each target under `weights`. `what` tells its messages from others. */
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

/** Scores are computed between micro-batches, so they share the memory in which these wait. */
const pooled = ({ stores, microBatches }: RankParts) => ({ ...stores, pool: microBatches.pool });

/** `values` is called after each run, because without replay outputs exist only then. */
function unpipelined(
  { stores }: RankParts,
  program: Program,
  values: () => Tensor,
): ScoringProgram {
  return {
    run: async (own) => {
      writeInputs(stores.inputs, prepareFor(stores, own), NO_RANDOMNESS);
      await submitWithBoundaries([program]);
      const [read] = await readback([values()]);
      return Float32Array.from(read ?? []);
    },
    ownBytes: program.ownBytes,
    scratchBytes: program.scratchBytes,
    dispose: () => program.dispose(),
  };
}

async function pipelined(parts: RankParts, how: ForwardHow): Promise<ScoringProgram> {
  const forward = await PipelineForward.create(parts, how);
  const { programs } = forward;
  return {
    run: (own) => forward.runForAll(own, NO_RANDOMNESS),
    ownBytes: programs.reduce((sum, { ownBytes }) => sum + ownBytes, 0),
    scratchBytes: Math.max(...programs.map(({ scratchBytes }) => scratchBytes)),
    dispose: () => forward.dispose(),
  };
}
