/** What the stage takes on this device: time, memory by model, and storage. */
import { Button } from '@mantine/core';
import { useMemo } from 'react';
import type { RunConfig } from '../../config/index.ts';
import { type StageConfig, withStageField } from '../../config/stage/index.ts';
import {
  guessStageVocab,
  planStage,
  stageSeconds,
  type StageMemory,
  type StagePlan,
  UNKNOWN_MEMORY,
} from '../../plan/stage.ts';
import { bytes, compact, timeHere } from '../../store/index.ts';
import { newStage, setStageField } from '../../store/stages/new_stage.ts';
import { useRun } from '../context.tsx';
import { useNewStage } from './useNewStage.ts';

export function StageCost() {
  const config = useNewStage((state) => state.config);
  const stage = useNewStage((state) => state.stage);
  const available = useRun((state) => state.device?.memory_bytes ?? null);
  const keepsFloat16 = useRun(({ device }) => device === null || device.backend === 'webgpu');
  const plan = useMemo(() => {
    if (!config) return null;
    const kept = keepsFloat16 ? stage : withStageField(stage, 'peft.dtype', 'float32');
    return planStage(config, kept, factsOf(config));
  }, [config, stage, keepsFloat16]);
  if (!config || !plan) return null;
  return (
    <>
      <CostFacts config={config} plan={plan} available={available} />
      <Float16Offer config={config} stage={stage} plan={plan} available={available} />
    </>
  );
}

interface CostProps {
  config: RunConfig;
  plan: StagePlan;
  /** Bytes that a run can use here; null if unknown. */
  available: number | null;
}

function CostFacts({ config, plan, available }: CostProps) {
  const calibration = useRun((state) => state.calibration);
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
      {plan.host_bytes > 0 ? (
        <div>
          <dt>Page memory</dt>
          <dd title={ORIGINALS}>up to {bytes(plan.host_bytes)}</dd>
        </div>
      ) : null}
      <div>
        <dt>Storage</dt>
        <dd>{bytes(plan.disk_bytes)}</dd>
      </div>
    </dl>
  );
}

/** Offers to keep the frozen weights in float16 where they are too large for this device otherwise. */
function Float16Offer({ config, stage, plan, available }: CostProps & { stage: StageConfig }) {
  const backend = useRun((state) => state.device?.backend);
  const isPossible = stage.peft.peft_type === 'lora' && (backend ?? 'webgpu') === 'webgpu';
  const isTooLarge = plan.memory.total > (available || UNKNOWN_MEMORY);
  if (!isPossible || !isTooLarge || stage.peft.dtype === 'float16') return null;
  const halved = withStageField(stage, 'peft.dtype', 'float16');
  const { total } = planStage(config, halved, factsOf(config)).memory;
  return (
    <div className="field-note" role="note" data-testid="float16-offer">
      <p>
        {available
          ? 'This is more than this device has'
          : 'A small graphics card has less than this'}
        . With the frozen weights in float16 it takes {bytes(total)}.
      </p>
      <Button
        size="compact-xs"
        variant="default"
        mt={6}
        onClick={() => setStageField(newStage, 'peft.dtype', 'float16')}
      >
        Set dtype to float16
      </Button>
    </div>
  );
}

const ORIGINALS =
  'The frozen weights from before they were rounded to float16, which checkpoints keep. ' +
  'Half as much for a model that was published in bfloat16.';

const factsOf = (config: RunConfig) => ({ vocab_size: guessStageVocab(config) });

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
