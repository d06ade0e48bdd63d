/** The plan of the form's configuration, and the problems that would prevent it from running. */
import { useMemo } from 'react';
import {
  asComputed,
  checkConfig,
  type Facts,
  type Problem,
  type RunConfig,
} from '../../config/index.ts';
import { guessVocab, planRun, type RunPlan } from '../../plan/index.ts';
import type { DataSummary, DeviceInfo } from '../../store/index.ts';
import { dataKey } from '../../store/index.ts';
import { useForm, useRun } from '../context.tsx';

/** What is known about the text and the device, for `checkConfig`. */
function factsFor(plan: RunPlan, data: DataSummary | null, device: DeviceInfo | null): Facts {
  return {
    vocab_size: data?.vocab_size,
    train_tokens: data?.train_tokens,
    val_tokens: data?.val_tokens,
    max_binding_size: device?.limits.max_binding_size,
    max_buffer_size: device?.limits.max_buffer_size,
    // 0 or null: unknown.
    memory_bytes: device?.memory_bytes || undefined,
    planned_bytes: plan.memory.total,
    planned_largest_buffer: plan.largest_binding.bytes,
  };
}

export interface FormPlan {
  plan: RunPlan;
  /** The summary of the form's text, or null until it is loaded. */
  data: DataSummary | null;
  /** The configuration as the device would run it. */
  config: RunConfig;
}

/** The plan of the form's run. Until the text is loaded, its vocabulary size is an estimate. */
export function usePlan(): FormPlan {
  const config = useForm((state) => state.config);
  const summary = useRun((state) => state.data);
  const backend = useRun((state) => state.device?.backend);
  const max_binding_size = useRun((state) => state.device?.limits.max_binding_size);
  // The summary may belong to a text that was selected earlier.
  const isCurrent = useForm(
    ({ preparedKey, config: current, text }) =>
      preparedKey !== null && preparedKey === dataKey(current, text),
  );
  return useMemo(() => {
    const data = isCurrent ? summary : null;
    const computed = asComputed(config, backend);
    const vocab_size = data?.vocab_size ?? guessVocab(computed);
    return { plan: planRun(computed, { vocab_size, max_binding_size }), data, config: computed };
  }, [config, summary, isCurrent, backend, max_binding_size]);
}

export function useProblems(): Problem[] {
  const { plan, data, config } = usePlan();
  const device = useRun((state) => state.device);
  return useMemo(
    () => checkConfig(config, factsFor(plan, data, device)),
    [config, plan, data, device],
  );
}
