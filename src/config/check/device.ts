/** Rules that need to know the limits of the device. */
import { resolveModel, type RunConfig } from '../schema.ts';
import { largeTensors, type LargeTensor } from '../tensors.ts';
import { formatBytes, type Facts, type Problem } from './problem.ts';

/** Checks the device's limits. The heads of the model must divide its width. */
export function checkDevice(config: RunConfig, facts: Facts): Problem[] {
  const checks = [checkBinding(config, facts), checkBuffer(facts), checkMemory(config, facts)];
  return checks.filter((problem) => problem !== null);
}

function checkBuffer({ planned_largest_buffer, max_buffer_size }: Facts): Problem | null {
  if (planned_largest_buffer === undefined || max_buffer_size === undefined) return null;
  if (planned_largest_buffer <= max_buffer_size) return null;
  return {
    field: 'training.batch_size',
    code: 'buffer_above_limit',
    message:
      `The run needs one buffer of ${formatBytes(planned_largest_buffer)}, ` +
      `and this device allows ${formatBytes(max_buffer_size)}.`,
    hint: 'Lower batch_size and raise gradient_accumulation_steps, or choose a smaller model.',
  };
}

function checkMemory({ training }: RunConfig, facts: Facts): Problem | null {
  const { planned_bytes, memory_bytes } = facts;
  if (planned_bytes === undefined || memory_bytes === undefined) return null;
  if (planned_bytes <= memory_bytes) return null;
  const canLowerBatch = training.batch_size > 1;
  return {
    field: canLowerBatch ? 'training.batch_size' : 'model.n_embd',
    code: 'does_not_fit_device',
    message:
      `The run needs about ${formatBytes(planned_bytes)}, ` +
      `and a run can have ${formatBytes(memory_bytes)} here.`,
    hint: canLowerBatch
      ? 'Lower batch_size and raise gradient_accumulation_steps, ' +
        'turn on activation_checkpointing, or choose a smaller model.'
      : 'Lower block_size, n_embd or n_layer.',
  };
}

/** Reports the first tensor that one dispatch could not bind. */
function checkBinding({ model, training }: RunConfig, facts: Facts): Problem | null {
  const limit = facts.max_binding_size;
  const vocab_size = facts.model_vocab_size ?? facts.vocab_size;
  if (limit === undefined || vocab_size === undefined) return null;
  const resolved = resolveModel(model, vocab_size);
  const tooLarge = largeTensors(resolved, training, limit).find((tensor) => tensor.bytes > limit);
  if (!tooLarge) return null;
  return {
    ...remedyForBinding(tooLarge, training.batch_size, limit),
    code: 'tensor_above_binding_limit',
    message:
      `One tensor, ${tooLarge.name}, would take ${formatBytes(tooLarge.bytes)}, ` +
      `and this device binds at most ${formatBytes(limit)}.`,
  };
}

function remedyForBinding(
  tensor: LargeTensor,
  batch_size: number,
  limit: number,
): Pick<Problem, 'field' | 'hint' | 'fix'> {
  // Tensors per sequence are proportional to the batch.
  const fitting = tensor.per_sequence ? Math.floor((limit * batch_size) / tensor.bytes) : 0;
  if (fitting >= 1)
    return {
      field: 'training.batch_size',
      hint: `Set batch_size to ${fitting} or less, and raise gradient_accumulation_steps instead.`,
      fix: { field: 'training.batch_size', value: fitting },
    };
  return {
    field: tensor.per_sequence ? 'model.block_size' : 'model.n_embd',
    hint: 'Lower the vocabulary, block_size or n_embd.',
  };
}
