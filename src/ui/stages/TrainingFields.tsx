/** Learning rate, batch, steps and what else the training loop of a stage needs. */
import { changedFields, getField, type FieldPath, type RunConfig } from '../../config/index.ts';
import { count } from '../../store/index.ts';
import { newStage, setTrainingField } from '../../store/stages/new_stage.ts';
import { FieldControl } from '../recipe/FieldControl.tsx';
import { isRelevant } from '../recipe/relevant.ts';
import { TRAINING_FIRST, TRAINING_MORE } from './stage_sections.ts';
import { useNewStage } from './useNewStage.ts';

/** What a batch consists of. */
const BATCHES = {
  sft: 'examples',
  reward: 'pairs',
  dpo: 'pairs',
  ppo: 'answers',
  grpo: 'prompts, each with a group of answers',
};

export function TrainingFields() {
  const config = useNewStage((state) => state.config);
  const base = useNewStage((state) => state.baseConfig);
  const objective = useNewStage((state) => state.stage.objective);
  if (!config || !base) return null;
  const list = { config, base };
  return (
    <section className="form-section" aria-label="Training">
      <h2>How it trains</h2>
      <p className="small muted">
        Each batch has {count(config.training.batch_size)} {BATCHES[objective]}.
      </p>
      <FieldList {...list} paths={TRAINING_FIRST} />
      <details className="more">
        <summary>
          More options <span className="muted">{TRAINING_MORE.length}</span>
        </summary>
        <FieldList {...list} paths={TRAINING_MORE} />
      </details>
    </section>
  );
}

interface ListProps {
  paths: readonly FieldPath[];
  config: RunConfig;
  base: RunConfig;
}

function FieldList({ paths, config, base }: ListProps) {
  const changed = new Set(changedFields(config, base));
  return (
    <div className="fields">
      {paths
        .filter((path) => isRelevant(path, config))
        .map((path) => (
          <FieldControl
            key={path}
            path={path}
            value={getField(config, path)}
            initial={changed.has(path) ? getField(base, path) : null}
            onChange={(value) => setTrainingField(newStage, path, value)}
          />
        ))}
    </div>
  );
}
