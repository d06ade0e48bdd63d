/** The left of the room: what the run costs, and its options in sections that fold. */
import { Accordion, Button } from '@mantine/core';
import { useId } from 'react';
import {
  PRESETS,
  SECTIONS,
  fieldPaths,
  getField,
  withoutEffect,
  type FieldPath,
  type Problem,
  type Section,
} from '../../config/index.ts';
import { isActive, resetField, setField, takeConfig } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { goTo, usePlace } from '../place.ts';
import { CostPanel } from './CostPanel.tsx';
import { DataPanel } from './DataPanel.tsx';
import { FieldControl } from './FieldControl.tsx';
import { Prompts } from './Prompts.tsx';
import { isRelevant } from './relevant.ts';
import { Steering } from './Steering.tsx';
import { TokenizerPanel } from './TokenizerPanel.tsx';
import { useProblems } from './problems.ts';
import '../styles/recipe.css';

const TITLES: Record<Section, string> = {
  data: 'Data',
  tokenizer: 'Tokenizer',
  model: 'Model',
  training: 'Training',
  sampling: 'Sampling',
  runtime: 'Runtime',
};

export function Recipe() {
  const sections = usePlace((place) => place.sections);
  const active = useRun((state) => isActive(state.phase) && state.run !== null);
  const problems = useProblems();
  return (
    <>
      <PresetChoice />
      <CostPanel />
      {active ? <Steering /> : null}
      <Accordion
        multiple
        value={sections}
        onChange={(next) => goTo({ sections: next })}
        variant="filled"
        chevronPosition="left"
        className="recipe"
        keepMounted={false}
      >
        {SECTIONS.map((section) => (
          <RecipeSection
            key={section}
            section={section}
            problems={problems.filter((one) => one.field.startsWith(`${section}.`))}
          />
        ))}
      </Accordion>
    </>
  );
}

function PresetChoice() {
  const client = useClient();
  const preset = useForm((state) => state.preset);
  const base = useForm((state) => state.base);
  const changes = useForm((state) => state.changed.size);
  const id = useId();
  return (
    <div className="preset-choice">
      <label htmlFor={id}>Recipe</label>
      <select
        id={id}
        className="native-select"
        value={preset ?? ''}
        onChange={(event) => {
          const chosen = PRESETS.find((one) => one.id === event.currentTarget.value);
          if (chosen)
            takeConfig(client.stores.form, chosen.config, {
              preset: chosen.id,
              name: chosen.title,
            });
        }}
      >
        {preset === null ? <option value="">Your own</option> : null}
        {PRESETS.map((one) => (
          <option key={one.id} value={one.id}>
            {one.title}
          </option>
        ))}
      </select>
      <Button
        size="compact-sm"
        variant="subtle"
        color="gray"
        style={{ visibility: changes === 0 ? 'hidden' : 'visible' }}
        onClick={() => takeConfig(client.stores.form, base, { ...(preset ? { preset } : {}) })}
      >
        Reset
      </Button>
    </div>
  );
}

function RecipeSection({ section, problems }: { section: Section; problems: readonly Problem[] }) {
  const changes = useForm(
    (state) => [...state.changed].filter((path) => path.startsWith(`${section}.`)).length,
  );
  return (
    <Accordion.Item value={section}>
      <Accordion.Control>
        <span className="section-title">
          {TITLES[section]}
          {problems.length > 0 ? (
            <span className="mark" data-bad>
              does not fit
            </span>
          ) : changes > 0 ? (
            <span className="mark">{changes} changed</span>
          ) : null}
        </span>
      </Accordion.Control>
      <Accordion.Panel>
        {section === 'data' ? <DataPanel /> : null}
        <Fields section={section} problems={problems} />
        {section === 'tokenizer' ? <TokenizerPanel /> : null}
        {section === 'sampling' ? <Prompts /> : null}
      </Accordion.Panel>
    </Accordion.Item>
  );
}

function Fields({ section, problems }: { section: Section; problems: readonly Problem[] }) {
  const client = useClient();
  const config = useForm((state) => state.config);
  const changed = useForm((state) => state.changed);
  const device = useRun((state) => state.device);
  const run = useRun((state) => state.precision);
  const facts = { backend: device?.backend, features: device?.features ?? [], run };
  const shown = fieldPaths().filter(
    (path) =>
      path.startsWith(`${section}.`) &&
      path !== 'sampling.prompts' &&
      (isRelevant(path, config) || changed.has(path)),
  );
  const { form } = client.stores;
  return shown
    .filter((path) => path !== 'data.corpus')
    .map((path: FieldPath) => (
      <FieldControl
        key={path}
        path={path}
        value={getField(config, path)}
        changed={changed.has(path)}
        problem={problems.find((one) => one.field === path)}
        off={withoutEffect(path, config, facts)}
        onChange={(value) => setField(form, path, value)}
        onReset={() => resetField(form, path)}
      />
    ));
}
