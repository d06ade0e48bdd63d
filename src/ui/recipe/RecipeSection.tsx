/** One section of the recipe: its options, and the panel that some sections add. */
import { Accordion } from '@mantine/core';
import { useState } from 'react';
import {
  getField,
  withoutEffect,
  type FieldPath,
  type PrecisionFacts,
  type Problem,
  type Section,
} from '../../config/index.ts';
import { setField } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { DataPanel } from './DataPanel.tsx';
import { FieldControl } from './FieldControl.tsx';
import { fieldsOf } from './first_fields.ts';
import { Prompts } from './Prompts.tsx';
import { isRelevant } from './relevant.ts';
import { TokenizerPanel } from './TokenizerPanel.tsx';
import { useSettledRun } from './useSettledRun.ts';

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

/** The options that matter most; the others fold under "More". */
function Fields({ section, problems }: SectionProps) {
  const config = useForm((state) => state.config);
  const changed = useForm((state) => state.changed);
  const { first, more } = fieldsOf(section);
  const applies = (path: FieldPath): boolean =>
    !IN_PANELS.includes(path) && (isRelevant(path, config) || changed.has(path));
  const folded = more.filter(applies);
  return (
    <>
      <FieldList paths={first.filter(applies)} problems={problems} />
      {folded.length > 0 ? (
        <MoreFields
          paths={folded}
          problems={problems.filter(({ field }) => folded.includes(field))}
        />
      ) : null}
    </>
  );
}

interface ListProps {
  paths: readonly FieldPath[];
  problems: readonly Problem[];
}

/** Open from the start if something in it was changed or does not work. */
function MoreFields({ paths, problems }: ListProps) {
  const changes = useForm((state) => paths.filter((path) => state.changed.has(path)).length);
  const [isOpen, setOpen] = useState(changes > 0);
  return (
    <details
      className="more"
      open={isOpen || problems.length > 0}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        More options <span className="muted">{moreText(paths.length, changes)}</span>
      </summary>
      <FieldList paths={paths} problems={problems} />
    </details>
  );
}

const moreText = (count: number, changes: number): string =>
  changes > 0 ? `${count}, ${changes} changed` : String(count);

function FieldList({ paths, problems }: ListProps) {
  const { form } = useClient().stores;
  const config = useForm((state) => state.config);
  const base = useForm((state) => state.base);
  const changed = useForm((state) => state.changed);
  const facts = useDeviceFacts();
  const { adjustments } = useSettledRun();
  const fields = paths.map((path) => (
    <FieldControl
      key={path}
      path={path}
      value={getField(config, path)}
      initial={changed.has(path) ? getField(base, path) : null}
      problem={problems.find((problem) => problem.field === path)}
      adjustment={adjustments.find((adjustment) => adjustment.field === path)}
      off={withoutEffect(path, config, facts)}
      onChange={(value) => setField(form, path, value)}
      onFix={(fix) => setField(form, fix.field, fix.value)}
    />
  ));
  return <div className="fields">{fields}</div>;
}

function useDeviceFacts(): PrecisionFacts {
  const device = useRun((state) => state.device);
  const run = useRun((state) => state.precision);
  return { backend: device?.backend, features: device?.features ?? [], run };
}
