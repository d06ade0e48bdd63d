/**
 * One option of the recipe: its name with its key, a hint, the input and one line on what it does. A
 * changed option is marked and can be reset.
 */
import { Button } from '@mantine/core';
import { memo } from 'react';
import {
  labelOf,
  splitPath,
  type Adjustment,
  type FieldPath,
  type FieldValue,
  type Problem,
} from '../../config/index.ts';
import { FieldKey } from '../FieldKey.tsx';
import { FieldHint } from './FieldHint.tsx';
import { FieldInput } from './FieldInput.tsx';
import { ResetButton } from './ResetButton.tsx';
import { valueText } from './value_text.ts';

interface FieldProps {
  path: FieldPath;
  value: FieldValue;
  /** Returns false if the value is outside the field's range. */
  onChange: (value: FieldValue) => boolean;
  /** The value to go back to, if the field differs from it. */
  initial?: FieldValue | null;
  problem?: Problem | undefined;
  /** Makes the change that solves the problem. */
  onFix?: (fix: NonNullable<Problem['fix']>) => void;
  adjustment?: Adjustment | undefined;
  /** Why the field has no effect here; disables the input. */
  off?: string | null;
  /** Shows only the name and the input. */
  brief?: boolean;
}

/** A field can be in the recipe and, briefly, next to the run at the same time. */
const inputId = (path: FieldPath, brief: boolean): string => `${brief ? 'steer' : 'field'}-${path}`;

const helpId = (path: FieldPath): string => `help-${path}`;

export const FieldControl = memo(function FieldControl(props: FieldProps) {
  const { path, value, onChange, initial = null, problem, adjustment } = props;
  const { off = null, brief = false } = props;
  const { name, field } = labelOf(path);
  return (
    <div
      className="field"
      data-changed={initial !== null || undefined}
      data-problem={problem ? true : undefined}
      data-testid={`row-${path}`}
    >
      <div className="field-row">
        <div className="field-name">
          <label htmlFor={inputId(path, brief)}>
            {name} <FieldKey name={field} />
          </label>
          {brief ? null : <FieldHint path={path} />}
        </div>
        {initial === null ? null : (
          <ResetButton path={path} initial={initial} onClick={() => onChange(initial)} />
        )}
        <FieldInput
          id={inputId(path, brief)}
          describedBy={brief ? undefined : helpId(path)}
          path={path}
          value={value}
          onChange={onChange}
          disabled={off !== null}
        />
      </div>
      {brief ? null : <FieldHelp path={path} value={value} />}
      {off ? <p className="field-note">{off}</p> : null}
      {adjustment ? <p className="field-note">{adjustment.message}</p> : null}
      {problem ? <FieldProblem problem={problem} onFix={props.onFix} /> : null}
    </div>
  );
});

/** What the field does, and what its chosen option or its zero means. */
function FieldHelp({ path, value }: Pick<FieldProps, 'path' | 'value'>) {
  const { does, zero, options } = labelOf(path);
  const option = options?.[String(value)];
  return (
    <p className="field-help" id={helpId(path)}>
      {option ? `${option}.` : does}
      {zero ? ` 0: ${zero}.` : ''}
    </p>
  );
}

interface FieldProblemProps {
  problem: Problem;
  onFix: FieldProps['onFix'];
}

function FieldProblem({ problem, onFix }: FieldProblemProps) {
  const { message, hint, fix } = problem;
  return (
    <div className="field-problem">
      <p role="alert">
        {message} {hint}
      </p>
      {fix && onFix ? (
        <Button size="compact-xs" variant="default" mt={6} onClick={() => onFix(fix)}>
          Set {splitPath(fix.field).field} to {valueText(fix.field, fix.value)}
        </Button>
      ) : null}
    </div>
  );
}
