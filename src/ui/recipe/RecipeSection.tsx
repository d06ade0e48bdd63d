/** One section of the recipe: its fields, and the panel that some sections add. */
import { Accordion } from '@mantine/core';
import {
  fieldPaths,
  getField,
  withoutEffect,
  type FieldPath,
  type Problem,
  type Section,
} from '../../config/index.ts';
import { resetField, setField } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { DataPanel } from './DataPanel.tsx';
import { FieldControl } from './FieldControl.tsx';
import { Prompts } from './Prompts.tsx';
import { isRelevant } from './relevant.ts';
import { TokenizerPanel } from './TokenizerPanel.tsx';

const TITLES: Record<Section, string> = {
  data: 'Data',
  tokenizer: 'Tokenizer',
  model: 'Model',
  training: 'Training',
  sampling: 'Sampling',
  runtime: 'Runtime',
};

/** Fields with an input in a panel of their own (`DataPanel`, `Prompts`). */
const IN_PANELS: readonly FieldPath[] = ['data.corpus', 'sampling.prompts'];

interface SectionProps {
  section: Section;
  /** Problems of this section's fields. */
  problems: readonly Problem[];
}

export function RecipeSection({ section, problems }: SectionProps) {
  return (
    <Accordion.Item value={section}>
      <Accordion.Control>
        <span className="section-title">
          {TITLES[section]}
          <SectionMark section={section} problems={problems} />
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

/** Says in the collapsed section that it has problems or changed fields. */
function SectionMark({ section, problems }: SectionProps) {
  const changes = useForm(
    (state) => [...state.changed].filter((path) => path.startsWith(`${section}.`)).length,
  );
  if (problems.length > 0)
    return (
      <span className="mark" data-bad>
        invalid
      </span>
    );
  return changes > 0 ? <span className="mark">{changes} changed</span> : null;
}

function Fields({ section, problems }: SectionProps) {
  const { form } = useClient().stores;
  const config = useForm((state) => state.config);
  const changed = useForm((state) => state.changed);
  const device = useRun((state) => state.device);
  const run = useRun((state) => state.precision);
  const facts = { backend: device?.backend, features: device?.features ?? [], run };
  const paths = fieldPaths().filter(
    (path) =>
      path.startsWith(`${section}.`) &&
      !IN_PANELS.includes(path) &&
      (isRelevant(path, config) || changed.has(path)),
  );
  return paths.map((path) => (
    <FieldControl
      key={path}
      path={path}
      value={getField(config, path)}
      changed={changed.has(path)}
      problem={problems.find((problem) => problem.field === path)}
      off={withoutEffect(path, config, facts)}
      onChange={(value) => setField(form, path, value)}
      onReset={() => resetField(form, path)}
    />
  ));
}
