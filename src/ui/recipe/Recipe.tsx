/** The recipe column: preset, cost, steering of the current run, and the options by section. */
import { Accordion, Button } from '@mantine/core';
import { useId } from 'react';
import { PRESETS, SECTIONS } from '../../config/index.ts';
import { hasLiveRun, takeConfig, takePreset } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { goTo, usePlace } from '../place.ts';
import { CostPanel } from './CostPanel.tsx';
import { RecipeSection } from './RecipeSection.tsx';
import { Steering } from './Steering.tsx';
import { usePrepare } from './usePrepare.ts';
import { useSettledRun } from './useSettledRun.ts';
import '../styles/recipe.css';

export function Recipe() {
  const expanded = usePlace((place) => place.sections);
  const hasActiveRun = useRun(hasLiveRun);
  const { problems } = useSettledRun();
  // Here, because the section with the text may be closed while that of the tokenizer is open.
  usePrepare();
  return (
    <>
      <PresetChoice />
      <CostPanel />
      {hasActiveRun ? (
        <>
          <Steering />
          <p className="small muted next-run">Everything below applies to the next run.</p>
        </>
      ) : null}
      <Accordion
        multiple
        value={expanded}
        onChange={(sections) => goTo({ sections })}
        variant="filled"
        chevronPosition="left"
        className="recipe"
        keepMounted={false}
      >
        {SECTIONS.map((section) => (
          <RecipeSection
            key={section}
            section={section}
            problems={problems.filter((problem) => problem.field.startsWith(`${section}.`))}
          />
        ))}
      </Accordion>
    </>
  );
}

function PresetChoice() {
  const { form } = useClient().stores;
  const preset = useForm((state) => state.preset);
  const base = useForm((state) => state.base);
  const isChanged = useForm((state) => state.changed.size > 0);
  const id = useId();
  const choose = (presetId: string): void => {
    const chosen = PRESETS.find((one) => one.id === presetId);
    if (chosen) takePreset(form, chosen);
  };
  return (
    <div className="preset-choice">
      <label htmlFor={id}>Recipe</label>
      <select
        id={id}
        className="native-select"
        value={preset ?? ''}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        {preset === null ? <option value="">Custom</option> : null}
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
        style={{ visibility: isChanged ? 'visible' : 'hidden' }}
        onClick={() => takeConfig(form, base, { preset: preset ?? undefined })}
      >
        Reset all
      </Button>
    </div>
  );
}
