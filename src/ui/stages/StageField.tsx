/** One option of a stage, in the manner of the recipe's (recipe/FieldControl.tsx). */
import { ActionIcon, Button } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import {
  splitStagePath,
  stageLabel,
  stageRange,
  type StageFieldPath,
  type StageFieldValue,
  type StageProblem,
} from '../../config/stage/index.ts';
import { FieldKey } from '../FieldKey.tsx';
import { Hint } from '../Hint.tsx';
import { ChoiceInput, FlagInput, NumberInput } from '../recipe/FieldInput.tsx';
import { rangeNumberText } from '../recipe/numbers.ts';

interface StageFieldProps {
  path: StageFieldPath;
  value: StageFieldValue;
  /** Returns false if the value is outside the field's range. */
  onChange: (value: StageFieldValue) => boolean;
  /** The value to go back to, if the field differs from it. */
  initial: StageFieldValue | null;
  problem: StageProblem | undefined;
  /** Makes the change that solves the problem. */
  onFix: (fix: NonNullable<StageProblem['fix']>) => void;
  /** Why an option of a choice cannot be chosen, or null. */
  unavailable?: (option: string) => string | null;
}

export function StageField(props: StageFieldProps) {
  const { path, value, onChange, initial, problem, onFix } = props;
  const { name, field } = stageLabel(path);
  const id = `stage-${path}`;
  return (
    <div
      className="field"
      data-changed={initial !== null || undefined}
      data-problem={problem ? true : undefined}
      data-testid={`row-${path}`}
    >
      <div className="field-row">
        <div className="field-name">
          <label htmlFor={id}>
            {name} <FieldKey name={field} />
          </label>
          <StageFieldHint path={path} />
        </div>
        {initial === null ? null : (
          <ActionIcon
            title={`Back to ${stageValueText(path, initial)}`}
            size={24}
            variant="subtle"
            aria-label={`Back to ${stageValueText(path, initial)}: ${name}`}
            onClick={() => onChange(initial)}
          >
            <IconArrowBackUp size={15} />
          </ActionIcon>
        )}
        <StageInput {...props} id={id} />
      </div>
      <FieldHelp path={path} value={value} />
      {problem ? <FieldProblem problem={problem} onFix={onFix} /> : null}
    </div>
  );
}

function StageInput({ id, path, value, onChange, unavailable }: StageFieldProps & { id: string }) {
  const range = stageRange(path);
  const input = { id, describedBy: `help-${path}`, disabled: false };
  switch (range.kind) {
    case 'flag':
      return <FlagInput {...input} value={value === true} onChange={onChange} />;
    case 'choice':
      return (
        <ChoiceInput
          {...input}
          titles={stageLabel(path).names ?? {}}
          options={range.options}
          unavailable={unavailable ?? (() => null)}
          value={String(value)}
          onChange={onChange}
        />
      );
    case 'number':
      return <NumberInput {...input} range={range} value={Number(value)} onChange={onChange} />;
    default:
      return range satisfies never;
  }
}

/** What the field does, and what its chosen option or its zero means. */
function FieldHelp({ path, value }: Pick<StageFieldProps, 'path' | 'value'>) {
  const { does, zero, options } = stageLabel(path);
  const option = options?.[String(value)];
  return (
    <p className="field-help" id={`help-${path}`}>
      {option ? `${option}.` : does}
      {zero ? ` 0: ${zero}.` : ''}
    </p>
  );
}

export function FieldProblem({ problem, onFix }: Pick<StageFieldProps, 'onFix'> & Problem) {
  const { message, hint, fix } = problem;
  return (
    <div className="field-problem">
      <p role="alert">
        {message} {hint}
      </p>
      {fix ? (
        <Button size="compact-xs" variant="default" mt={6} onClick={() => onFix(fix)}>
          Set {splitStagePath(fix.field).field} to {stageValueText(fix.field, fix.value)}
        </Button>
      ) : null}
    </div>
  );
}

interface Problem {
  problem: StageProblem;
}

/** A value in words: "0.1", "Robust DPO", "on". */
export function stageValueText(path: StageFieldPath, value: StageFieldValue): string {
  if (typeof value === 'number') return rangeNumberText(value);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return stageLabel(path).names?.[value] ?? value;
}

/** What the field is for, its range and default, TRL's default and why ours differs, its source. */
function StageFieldHint({ path }: { path: StageFieldPath }) {
  const { name, field, does, help, source, unit, trl } = stageLabel(path);
  const range = stageRange(path);
  return (
    <Hint about={name}>
      <h3>
        {name} <FieldKey name={field} />
      </h3>
      <p>{does}</p>
      {help ? <p>{help}</p> : null}
      <dl>
        {range.kind === 'number' ? (
          <>
            <dt>Range</dt>
            <dd>
              {rangeNumberText(range.min)} to {rangeNumberText(range.max)} {unit}
            </dd>
          </>
        ) : null}
        <dt>Default</dt>
        <dd>{stageValueText(path, range.default)}</dd>
        {trl ? (
          <>
            <dt>In TRL</dt>
            <dd>{trl}</dd>
          </>
        ) : null}
        <dt>Source</dt>
        <dd>{source}</dd>
      </dl>
    </Hint>
  );
}
