/** What the stage takes on this device: time, memory by model, and storage. */
import { useMemo } from 'react';
import { guessVocab } from '../../plan/index.ts';
import { planStage, stageSeconds, type StageMemory } from '../../plan/stage.ts';
import { bytes, compact, timeHere } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { useNewStage } from './useNewStage.ts';

/** Role tokens that a stage adds to the vocabulary of a base model. */
const ROLE_TOKENS = 5;

export function StageCost() {
  const config = useNewStage((state) => state.config);
  const stage = useNewStage((state) => state.stage);
  const calibration = useRun((state) => state.calibration);
  const available = useRun((state) => state.device?.memory_bytes ?? null);
  const plan = useMemo(() => {
    if (!config) return null;
    return planStage(config, stage, { vocab_size: guessVocab(config) + ROLE_TOKENS });
  }, [config, stage]);
  if (!config || !plan) return null;
  const seconds = calibration ? stageSeconds(config, plan, calibration) : null;
  return (
    <dl className="facts" data-testid="stage-cost">
      <div>
        <dt>Time here</dt>
        <dd>{timeHere(seconds, null)}</dd>
      </div>
      <div>
        <dt>Trained parameters</dt>
        <dd>
          {compact(plan.n_trainable)} of {compact(plan.n_params)}
        </dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd title={kindsText(plan.kinds)}>
          {bytes(plan.memory.total)}
          {available === null ? '' : ` of ${bytes(available)}`}
        </dd>
      </div>
      <div>
        <dt>Storage</dt>
        <dd>{bytes(plan.disk_bytes)}</dd>
      </div>
    </dl>
  );
}

const KINDS = [
  ['base', 'Model'],
  ['adapters', 'Adapter'],
  ['reference', 'Reference'],
  ['reward_model', 'Reward model'],
  ['value_model', 'Value model'],
  ['gradients', 'Gradients'],
  ['optimizer', 'Optimizer'],
  ['activations', 'Activations'],
] as const;

/** "Model 1.2 MB, Reference 1.2 MB, …": what the memory is for. */
const kindsText = (kinds: StageMemory): string =>
  KINDS.filter(([kind]) => kinds[kind] > 0)
    .map(([kind, label]) => `${label} ${bytes(kinds[kind])}`)
    .join(', ');
