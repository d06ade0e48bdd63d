/** What is known about text and device, the plan of the form's run, and what would not work. */
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

/** With a guess of the vocabulary until the text has been read. */
export function planFor(
  config: RunConfig,
  vocab_size: number | undefined,
  max_binding_size?: number,
): RunPlan {
  return planRun(config, { vocab_size: vocab_size ?? guessVocab(config), max_binding_size });
}

export function factsFor(
  plan: RunPlan,
  data: DataSummary | null,
  device: DeviceInfo | null,
): Facts {
  return {
    ...(data
      ? {
          vocab_size: data.vocab_size,
          train_tokens: data.train_tokens,
          val_tokens: data.val_tokens,
        }
      : {}),
    ...(device
      ? {
          max_binding_size: device.limits.max_binding_size,
          max_buffer_size: device.limits.max_buffer_size,
        }
      : {}),
    ...(device?.memory_bytes ? { memory_bytes: device.memory_bytes } : {}),
    planned_bytes: plan.memory.total,
    planned_largest_buffer: plan.largest_binding.bytes,
  };
}

export function usePlan(): { plan: RunPlan; data: DataSummary | null; config: RunConfig } {
  const config = useForm((state) => state.config);
  const summary = useRun((state) => state.data);
  const backend = useRun((state) => state.device?.backend);
  const max_binding_size = useRun((state) => state.device?.limits.max_binding_size);
  const fits = useForm(
    (state) =>
      state.preparedKey !== null && state.preparedKey === dataKey(state.config, state.text),
  );
  return useMemo(() => {
    // The summary speaks of the text that the form has now, and not of one chosen before.
    const data = fits ? summary : null;
    const computed = asComputed(config, backend);
    return { plan: planFor(computed, data?.vocab_size, max_binding_size), data, config: computed };
  }, [config, summary, fits, backend, max_binding_size]);
}

export function useProblems(): Problem[] {
  const { plan, data, config } = usePlan();
  const device = useRun((state) => state.device);
  return useMemo(
    () => checkConfig(config, factsFor(plan, data, device)),
    [config, plan, data, device],
  );
}
