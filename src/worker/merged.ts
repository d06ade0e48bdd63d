/** A model whose adapters were merged into its weights: what a child starts from. */
import type { CheckpointState } from '../checkpoint/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { loraScale } from '../model/adapter_parameters.ts';
import { isAdapterTensor } from '../model/index.ts';
import { mergeAdapters } from '../model/merge.ts';

type Mergeable = Pick<CheckpointState, 'model' | 'parameters' | 'objective_tensors' | 'stage'>;

/** The state without adapters; itself if it has none. Throws ConfigError for an unknown stage. */
export function mergedState<S extends Mergeable>(state: S): S {
  const { model, objective_tensors } = state;
  if (!state.stage || !objective_tensors) return state;
  const { peft } = parseStage(state.stage);
  if (peft.peft_type !== 'lora') return state;
  const parameters = mergeAdapters(model, state.parameters, objective_tensors, loraScale(peft));
  const others = [...objective_tensors].filter(([name]) => !isAdapterTensor(name));
  return { ...state, parameters, objective_tensors: new Map(others) };
}
