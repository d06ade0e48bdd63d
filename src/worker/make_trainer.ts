/** Makes the trainer of a run, which compiles its programs, and says on the page how far that is. */
import type { BestCheckpoint } from '../common/index.ts';
import { bestBefore } from './best.ts';
import type { RunParts, RunStart, RunSurroundings } from './run_parts.ts';
import type { RunTrainer } from './services.ts';

/** What `create` hands to the constructor. */
export interface Made {
  trainer: RunTrainer;
  subgroup_matrices: boolean;
  /** The best checkpoint in storage. */
  best: BestCheckpoint | null;
}

/** Throws what Trainer.create throws. */
export async function makeTrainer(
  { adapter, id, settled, objective, text, storage }: RunParts,
  { from }: RunStart,
  { services, emit, mark }: RunSurroundings,
): Promise<Made> {
  const compiling = (detail: string, progress: number): void =>
    emit({ type: 'phase', phase: 'compiling', detail, progress });
  compiling('Preparing the model.', 0);
  const { config, model, precision } = settled;
  const { subgroup_matrices } = await services.setTunedProducts(adapter, id, config);
  const trainer = await services.createTrainer({
    config,
    objective,
    split: text.tokens,
    stage: text.stage?.config ?? null,
    data: text.stage?.data ?? null,
    vocab_size: model.vocab_size,
    precision,
    from: from?.state ?? null,
    compiling: (done) => {
      if (done > 0) mark('traced');
      compiling('Compiling the programs for your device.', done);
    },
  });
  mark('compiled');
  const best = from ? await bestBefore(storage, from.state.step) : null;
  return { trainer, subgroup_matrices, best };
}
