/** Which run the ranks train: the recipe of the page, or a saved run from its last checkpoint. */
import { NativeSelect } from '@mantine/core';
import { countParameters } from '../../plan/index.ts';
import { compact, count } from '../../store/index.ts';
import { useForm } from '../context.tsx';
import { goTo } from '../place.ts';
import { useChoices } from './choices.ts';
import { type NextRun, useContinuable } from './useLabRun.ts';

export function LabRecipe({ next }: { next: NextRun }) {
  const runs = useContinuable();
  const { model, config, from } = next;
  const { training } = config;
  return (
    <section className="form-section" aria-label="Run">
      <h2>Run</h2>
      <NativeSelect
        size="xs"
        label="Weights"
        value={from?.run ?? ''}
        data={[
          { value: '', label: 'New, of the recipe' },
          ...runs.map(({ run, name, step }) => ({
            value: run,
            label: `${name}, from step ${count(step)}`,
          })),
        ]}
        onChange={({ currentTarget }) => useChoices.setState({ from: currentTarget.value })}
      />
      <p className="small muted">
        {from ? 'A checkpoint is cut anew for any mesh. ' : ''}
        {compact(countParameters(model).total)} parameters: {model.n_layer}{' '}
        {model.n_layer === 1 ? 'layer' : 'layers'} of width {count(model.n_embd)}, {model.n_head}{' '}
        {model.n_head === 1 ? 'head' : 'heads'}, {count(model.vocab_size)} tokens in the vocabulary.{' '}
        {count(training.max_iters)} steps of {count(training.gradient_accumulation_steps)} ×{' '}
        {count(training.batch_size)} sequences of {count(model.block_size)} tokens,{' '}
        {training.optimizer}.
      </p>
      {from ? null : <OpenRecipe />}
    </section>
  );
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
