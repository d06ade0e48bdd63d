/** The recipe of the current run in brief: what differs from the preset, cost, and steering. */
import { Button } from '@mantine/core';
import { IconAdjustments } from '@tabler/icons-react';
import { changedFields, getField, labelOf, PRESETS, type FieldPath } from '../../config/index.ts';
import { bytes, compact, count, isActive } from '../../store/index.ts';
import { useForm, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { Steering } from './Steering.tsx';

/** Changed fields that are listed by name. */
const MAX_LISTED = 8;

export function RecipeSummary() {
  const hasActiveRun = useRun((state) => isActive(state.phase) && state.run !== null);
  return (
    <div className="recipe-summary">
      <Changes />
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

function Changes() {
  const config = useRun((state) => state.config);
  const base = useForm((state) => state.base);
  const preset = useForm((state) => state.preset);
  const changed = config ? changedFields(config, base) : [];
  const title = PRESETS.find((one) => one.id === preset)?.title ?? 'Your own';
  return (
    <>
      <h2>{title}</h2>
      {config && changed.length > 0 ? (
        <dl className="summary-changes">
          {changed.slice(0, MAX_LISTED).map((path) => (
            <div key={path}>
              <dt>{labelOf(path).field}</dt>
              <dd>{valueText(path, getField(config, path))}</dd>
            </div>
          ))}
        </dl>
      ) : (
        <p className="small muted">{preset ? 'As the preset.' : 'As the defaults.'}</p>
      )}
      {changed.length > MAX_LISTED ? (
        <p className="small muted">and {changed.length - MAX_LISTED} more</p>
      ) : null}
    </>
  );
}

function valueText(path: FieldPath, value: ReturnType<typeof getField>): string {
  if (typeof value === 'object')
    return `${value.length} ${path.endsWith('prompts') ? 'prompts' : ''}`;
  return String(value);
}

function Cost() {
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
