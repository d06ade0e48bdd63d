/** Chooses how a rank runs micro-batches: all layers in one program, or as a stage of a pipeline. */
import { type MicroBatches, SequentialMicroBatches } from './micro_batches.ts';
import { PipelineMicroBatches, type PipelineParts } from './pipeline.ts';

/** @throws ShaderError, BindingTooLarge, or RangeError for an impossible schedule */
export function buildMicroBatches(parts: PipelineParts): Promise<MicroBatches> {
  const { mesh, stores, loss, recorder } = parts;
  if (mesh.pp > 1) return PipelineMicroBatches.create(parts);
  return SequentialMicroBatches.create(stores, loss, recorder);
}
