/** The current stage in brief: what it learns from which model, its settings, cost, and steering. */
import { Button } from '@mantine/core';
import { IconAdjustments } from '@tabler/icons-react';
import {
  changedStageFields,
  defaultStage,
  getStageField,
  objectiveLabel,
  sectionsOf,
  stageLabel,
  type StageConfig,
  type StageFieldPath,
} from '../../../config/stage/index.ts';
import { hasLiveRun, measure } from '../../../store/index.ts';
import { newStage, repeatStage } from '../../../store/stages/new_stage.ts';
import { useLibrary, useRun } from '../../context.tsx';
import { FieldKey } from '../../FieldKey.tsx';
import { goToModels } from '../../place.ts';
import { Cost } from '../../recipe/RecipeSummary.tsx';
import { Steering } from '../../recipe/Steering.tsx';
import { shownFields } from '../stage_sections.ts';
import { stageValueText } from '../StageField.tsx';
import '../../styles/train.css';

export default function StageSummary() {
  const stage = useRun((state) => state.stage);
  const parent = useRun((state) => state.lineage?.parent ?? null);
  const hasActiveRun = useRun(hasLiveRun);
  const learning_rate = useRun((state) => state.config?.training.learning_rate ?? NaN);
  const batch_size = useRun((state) => state.config?.training.batch_size ?? NaN);
  if (!stage) return null;
  const { name, does } = objectiveLabel(stage.objective);
  return (
    <div className="recipe-summary">
      <h2>{name}</h2>
      <p className="small muted">{does}</p>
      <dl className="summary-changes">
        <div>
          <dt>From</dt>
          <dd>{parent?.name ?? '–'}</dd>
        </div>
        {listedFields(stage).map((path) => (
          <Setting key={path} path={path} stage={stage} />
        ))}
        <div>
          <dt>
            Learning rate <FieldKey name="learning_rate" />
          </dt>
          <dd>{measure(learning_rate)}</dd>
        </div>
        <div>
          <dt>
            Batch size <FieldKey name="batch_size" />
          </dt>
          <dd>{batch_size}</dd>
        </div>
      </dl>
      <DataNotes />
      <Cost />
      {hasActiveRun ? <Steering /> : null}
      <RepeatButton stage={stage} />
    </div>
  );
}

/** What was left out of the data, such as lines that were skipped. */
function DataNotes() {
  const notes = useRun((state) => state.data?.notes ?? NO_NOTES);
  return notes.map((note) => (
    <p key={note} className="small muted">
      {note}
    </p>
  ));
}

const NO_NOTES: readonly string[] = [];

/** The task, and what differs from the defaults among the options that have an effect. */
function listedFields(stage: StageConfig): StageFieldPath[] {
  const shown = (['dataset', 'peft', ...sectionsOf(stage)] as const).flatMap((section) => {
    const { first, more } = shownFields(section, stage);
    return [...first, ...more];
  });
  const changed = new Set(changedStageFields(stage, defaultStage()));
  const always: readonly StageFieldPath[] = ['dataset.task', 'dataset.size', 'peft.peft_type'];
  return shown.filter((path) => always.includes(path) || changed.has(path));
}

function Setting({ path, stage }: { path: StageFieldPath; stage: StageConfig }) {
  const { name, field } = stageLabel(path);
  return (
    <div>
      <dt>
        {name} <FieldKey name={field} />
      </dt>
      <dd>{stageValueText(path, getStageField(stage, path))}</dd>
    </div>
  );
}

/** Opens the form with the same settings, from the same parent. */
function RepeatButton({ stage }: { stage: StageConfig }) {
  const config = useRun((state) => state.config);
  const parent = useRun(({ lineage }) =>
    lineage?.parent?.kind === 'run' ? lineage.parent.run : null,
  );
  const record = useLibrary(({ runs }) => runs.find(({ run }) => run === parent));
  if (!config || !record) return null;
  return (
    <Button
      fullWidth
      variant="default"
      leftSection={<IconAdjustments size={17} />}
      onClick={() => {
        repeatStage(newStage, record, { stage, config });
        goToModels('new_stage', record.run);
      }}
    >
      Change and train again
    </Button>
  );
}
