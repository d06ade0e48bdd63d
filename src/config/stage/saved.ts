/**
 * A stage as it is written to files. Pages of earlier versions refuse fields that they do not know, so
 * fields that were added later are written only where they are not the default.
 */
import type { StageConfig, StageInput } from './schema.ts';

/** What `stage.json` gets of a stage; `parseStage` reads it back. */
export function savedStage(stage: StageConfig): StageInput {
  const { dtype, ...peft } = stage.peft;
  return { ...stage, peft: dtype === 'float32' ? peft : stage.peft };
}
