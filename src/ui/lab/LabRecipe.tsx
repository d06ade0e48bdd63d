/** Which run the ranks train: the recipe, a new stage, or a saved run from its last checkpoint. */
import { NativeSelect } from '@mantine/core';
import { labelOf } from '../../config/index.ts';
import { objectiveLabel, usesPairs } from '../../config/stage/index.ts';
import { countParameters } from '../../plan/index.ts';
import { compact, count } from '../../store/index.ts';
import { defaultStageName } from '../../store/stages/stage_name.ts';
import { useForm } from '../context.tsx';
import { goTo, goToModels } from '../place.ts';
import { NEW_STAGE, useChoices } from './choices.ts';
import { Problems } from './MeshForm.tsx';
import { type NextRun, type NextStage, useContinuable, useNextStage } from './useLabRun.ts';

export function LabRecipe({ next }: { next: NextRun }) {
  const { from, next_stage } = next;
  return (
    <section className="form-section" aria-label="Run">
      <h2>Run</h2>
      <WhatTrains next={next} />
      <p className="small muted">
        {from ? 'A checkpoint is cut anew for any mesh. ' : ''}
        {next_stage ? stageWords(next_stage) : ''}
        {runWords(next)}
      </p>
      {next_stage ? <StageProblems stage={next_stage} /> : null}
      {from || next_stage ? null : <OpenRecipe />}
      {from ? null : <OpenStage stage={next_stage} />}
    </section>
  );
}

function WhatTrains({ next: { from, next_stage } }: { next: NextRun }) {
  const runs = useContinuable();
  const stage = useNextStage();
  const stages = stage
    ? [
        {
          value: NEW_STAGE,
          label: `New stage: ${defaultStageName(stage.parent, stage.form.stage)}`,
        },
      ]
    : [];
  return (
    <NativeSelect
      size="xs"
      label="Weights"
      value={next_stage ? NEW_STAGE : (from?.run ?? '')}
      data={[
        { value: '', label: 'New, of the recipe' },
        ...stages,
        ...runs.map(({ run, name, step }) => ({
          value: run,
          label: `${name}, from step ${count(step)}`,
        })),
      ]}
      onChange={({ currentTarget }) => useChoices.setState({ from: currentTarget.value })}
    />
  );
}

/** "Supervised fine-tuning from the weights of “names”. " */
const stageWords = ({ form, parent }: NextStage): string =>
  `${objectiveLabel(form.stage.objective).name} from the weights of “${parent.name}”. `;

const OPTIMIZER_NAMES = labelOf('training.optimizer').names ?? {};

function runWords({ model, config: { training }, stage }: NextRun): string {
  const { n_layer, n_head, n_embd, vocab_size, block_size } = model;
  const optimizer = OPTIMIZER_NAMES[training.optimizer] ?? training.optimizer;
  const rows = stage && usesPairs(stage) ? 'pairs' : 'sequences';
  const length = stage ? 'at most ' : '';
  return (
    `${compact(countParameters(model).total)} parameters: ${n_layer} ` +
    `${n_layer === 1 ? 'layer' : 'layers'} of width ${count(n_embd)}, ${n_head} ` +
    `${n_head === 1 ? 'head' : 'heads'}, ${stage ? 'about ' : ''}${count(vocab_size)} tokens in ` +
    `the vocabulary. ${count(training.max_iters)} steps of ` +
    `${count(training.gradient_accumulation_steps)} × ${count(training.batch_size)} ${rows} of ` +
    `${length}${count(block_size)} tokens, ${optimizer}.`
  );
}

function StageProblems({ stage }: { stage: NextStage }) {
  const problems = stage.problems.map(({ message, hint }) => {
    return { field: null, message: `${message} ${hint}`, nearest: [] };
  });
  return <Problems problems={problems} />;
}

function OpenRecipe() {
  const name = useForm((form) => form.config.data.corpus);
  return (
    <p className="small">
      Text: <code>{name}</code>.{' '}
      <button
        type="button"
        className="link"
        onClick={() => goTo({ at: 'workspace', subject: null, tab: 'recipe' })}
      >
        Change the recipe
      </button>
    </p>
  );
}

/** To the form of the stage, which is where it is set up. */
function OpenStage({ stage }: { stage: NextStage | null }) {
  return (
    <p className="small">
      <button
        type="button"
        className="link"
        onClick={() => goToModels('new_stage', stage?.parent.run ?? null)}
      >
        {stage ? 'Change the stage' : 'Set up a stage to train here'}
      </button>
    </p>
  );
}
