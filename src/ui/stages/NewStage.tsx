/** The form of a new stage: from which model, what it learns from what, and how. */
import { useEffect, type ReactNode } from 'react';
import {
  OBJECTIVE_LABELS,
  sectionsOf,
  type StageProblem,
  type StageSection,
} from '../../config/stage/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { beginStage, newStage, problemsOf } from '../../store/stages/new_stage.ts';
import { canBeParent, listed, modelTrees } from '../../store/stages/tree.ts';
import { MissingModels } from '../chat/MissingModels.tsx';
import { useLibrary } from '../context.tsx';
import { goToModels, usePlace } from '../place.ts';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { DataFile } from './DataFile.tsx';
import { ObjectiveChoice } from './ObjectiveChoice.tsx';
import { RewardModelChoice } from './RewardModelChoice.tsx';
import { StageFields } from './StageFields.tsx';
import { StartStage } from './StartStage.tsx';
import { TrainingFields } from './TrainingFields.tsx';
import { useNewStage } from './useNewStage.ts';
import '../styles/recipe.css';
import '../styles/stages.css';
import '../styles/new_stage.css';

export default function NewStage() {
  useFreshRuns();
  const runs = useLibrary((state) => state.runs);
  const loaded = useLibrary((state) => state.loaded);
  const parent = useParent(runs);
  return (
    <main className="models new-stage-place">
      <header>
        <button type="button" className="link" onClick={() => goToModels('stages')}>
          All models
        </button>
        <h1>New stage</h1>
      </header>
      {loaded ? <ParentChoice runs={runs} parent={parent} /> : <p className="empty">Loading…</p>}
      {parent ? <Form parent={parent} runs={runs} /> : null}
    </main>
  );
}

/** The model that the address names. The form follows it. */
function useParent(runs: readonly RunRecord[]): RunRecord | null {
  const subject = usePlace((place) => place.subject);
  const chosen = useNewStage((state) => state.parent);
  const parent = runs.find(({ run }) => run === subject) ?? null;
  useEffect(() => {
    if (parent && parent.run !== chosen) beginStage(newStage, parent);
  }, [parent, chosen]);
  return parent?.run === chosen ? parent : null;
}

interface ParentProps {
  runs: readonly RunRecord[];
  parent: RunRecord | null;
}

function ParentChoice({ runs, parent }: ParentProps) {
  const subject = usePlace((place) => place.subject);
  const models = listed(modelTrees(runs)).filter(({ record }) => canBeParent(record));
  const isGone = subject !== null && !models.some(({ record }) => record.run === subject);
  return (
    <section className="form-section" aria-label="Parent">
      <h2>Parent model</h2>
      <select
        className="native-select"
        aria-label="Parent"
        value={parent?.run ?? ''}
        onChange={(event) => goToModels('new_stage', event.currentTarget.value)}
      >
        {parent ? null : <option value="">Choose a model</option>}
        {models.map(({ record, depth }) => (
          <option key={record.run} value={record.run}>
            {`${'\u2003'.repeat(depth)}${record.name}`}
          </option>
        ))}
      </select>
      {isGone ? <MissingModels ids={[subject]} /> : null}
      {models.length === 0 ? (
        <p className="small muted">No model has been saved yet. Train a base model first.</p>
      ) : null}
    </section>
  );
}

const TITLES: Readonly<Record<StageSection, string>> = {
  dataset: 'What it learns from',
  peft: 'Which weights train',
  sft: OBJECTIVE_LABELS.sft.name,
  reward: OBJECTIVE_LABELS.reward.name,
  dpo: OBJECTIVE_LABELS.dpo.name,
  ppo: 'PPO',
  grpo: 'GRPO',
  rewards: 'Rewards that code checks',
};

function Form({ parent, runs }: { parent: RunRecord; runs: readonly RunRecord[] }) {
  const state = useNewStage((whole) => whole);
  const problems = problemsOf(state, runs);
  const { stage } = state;
  return (
    <div className="new-stage">
      <div className="new-stage-fields">
        <section className="form-section">
          <h2>What it learns</h2>
          <ObjectiveChoice parent={parent} />
          <Advice parent={parent} />
        </section>
        <FormSection section="dataset" problems={problems}>
          {stage.dataset.task === 'own' ? <DataFile problems={problems} /> : null}
        </FormSection>
        <FormSection section="peft" problems={problems} />
        {sectionsOf(stage).map((section) => (
          <FormSection key={section} section={section} problems={problems}>
            {section === 'ppo' ? (
              <RewardModelChoice parent={parent} runs={runs} problems={problems} />
            ) : null}
          </FormSection>
        ))}
        <TrainingFields />
      </div>
      <StartStage parent={parent} problems={problems} />
    </div>
  );
}

interface SectionProps {
  section: StageSection;
  problems: readonly StageProblem[];
  children?: ReactNode;
}

function FormSection({ section, problems, children }: SectionProps) {
  return (
    <section className="form-section" aria-label={TITLES[section]}>
      <h2>{TITLES[section]}</h2>
      {children}
      <StageFields section={section} problems={problems} />
    </section>
  );
}

/** What usually comes first, where a stage is started too early. */
function Advice({ parent }: { parent: RunRecord }) {
  const objective = useNewStage((state) => state.stage.objective);
  if (parent.lineage.objective !== 'pretrain' || objective === 'sft') return null;
  return (
    <p className="field-note" role="note">
      “{parent.name}” only continues text. Supervised fine-tuning usually comes first, so that there
      are answers to compare or to reward.
    </p>
  );
}
