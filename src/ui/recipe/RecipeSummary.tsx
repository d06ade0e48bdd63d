/** The recipe of the current run in brief: what differs from the preset, cost, and steering. */
import { Button } from '@mantine/core';
import { IconAdjustments } from '@tabler/icons-react';
import {
  changedFields,
  getField,
  labelOf,
  PRESETS,
  type FieldPath,
  type FieldValue,
} from '../../config/index.ts';
import { bytes, compact, count, hasLiveRun, type RunState } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { FieldKey } from '../FieldKey.tsx';
import { goTo } from '../place.ts';
import { FieldHint } from './FieldHint.tsx';
import { Steering } from './Steering.tsx';
import { valueText } from './value_text.ts';

/** Changed fields that are listed by name. */
const MAX_LISTED = 8;

export function RecipeSummary() {
  const hasActiveRun = useRun(hasLiveRun);
  const recipe = useRun((state) => state.recipe);
  return (
    <div className="recipe-summary">
      {recipe ? <Changes recipe={recipe} /> : null}
      <Cost />
      {hasActiveRun ? <Steering /> : null}
      <Button
        fullWidth
        variant="default"
        leftSection={<IconAdjustments size={17} />}
        onClick={() => goTo({ tab: 'recipe' })}
      >
        Open the recipe
      </Button>
    </div>
  );
}

/** What the run is, and how it differs from its preset; later changes of the form do not count. */
function Changes({ recipe }: { recipe: NonNullable<RunState['recipe']> }) {
  const config = useRun((state) => state.config) ?? recipe.config;
  const changed = changedFields(config, recipe.base);
  const title = PRESETS.find((one) => one.id === recipe.preset)?.title ?? 'Custom recipe';
  const from = recipe.preset === null ? 'the defaults' : 'the preset';
  return (
    <>
      <h2>{title}</h2>
      <p className="small muted">
        {changed.length > 0 ? `Differs from ${from}:` : `Same as ${from}.`}
      </p>
      {changed.length > 0 ? (
        <dl className="summary-changes">
          {changed.slice(0, MAX_LISTED).map((path) => (
            <Change
              key={path}
              path={path}
              value={getField(config, path)}
              initial={getField(recipe.base, path)}
            />
          ))}
        </dl>
      ) : null}
      {changed.length > MAX_LISTED ? (
        <p className="small muted">and {changed.length - MAX_LISTED} more</p>
      ) : null}
    </>
  );
}

interface ChangeProps {
  path: FieldPath;
  value: FieldValue;
  initial: FieldValue;
}

function Change({ path, value, initial }: ChangeProps) {
  const { name, field } = labelOf(path);
  return (
    <div>
      <dt>
        {name} <FieldKey name={field} />
        <FieldHint path={path} />
      </dt>
      <dd>
        {valueText(path, value)} <small>was {valueText(path, initial)}</small>
      </dd>
    </div>
  );
}

/** Size, memory and length of the current run. */
export function Cost() {
  const parameters = useRun((state) => state.n_params);
  const planned = useRun((state) => state.planned_bytes);
  const steps = useRun((state) => state.config?.training.max_iters ?? 0);
  if (parameters === 0) return null;
  return (
    <dl className="summary-changes">
      <div>
        <dt>Parameters</dt>
        <dd>{compact(parameters)}</dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{bytes(planned)}</dd>
      </div>
      <div>
        <dt>Length</dt>
        <dd>{count(steps)} steps</dd>
      </div>
    </dl>
  );
}
