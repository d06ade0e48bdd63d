/** Steps of a trainer for measurement. */
import { withReferences } from '../src/ops/index.ts';
import type { Trainer } from '../src/train/index.ts';

/** A function that submits one step, by kernels or by the references in tfjs ops. */
export function stepTaker(trainer: Trainer, by: 'kernels' | 'references'): () => void {
  const take = (): void => {
    // References are selected only during the call, and host time is measured around it.
    if (trainer.takeStep()) throw new Error('This objective has asynchronous batches.');
  };
  return by === 'references' ? () => withReferences(take) : take;
}
