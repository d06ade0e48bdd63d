/** One option of the recipe: name, input, description, source, range, and reset to its default. */
import { ActionIcon } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import { memo } from 'react';
import {
  labelOf,
  rangeOf,
  type FieldPath,
  type FieldRange,
  type FieldValue,
  type Problem,
} from '../../config/index.ts';
import { FieldInput } from './FieldInput.tsx';
import { rangeNumberText } from './numbers.ts';

interface FieldProps {
  path: FieldPath;
  value: FieldValue;
  /** Returns false if the value is outside the field's range. */
  onChange: (value: FieldValue) => boolean;
  changed?: boolean;
  onReset?: () => void;
  problem?: Problem;
  /** Shows only the name and the input. */
  brief?: boolean;
  disabled?: boolean;
  /** Why the field has no effect here; disables the input. */
  off?: string | null;
}

/** A field can be in the recipe and, briefly, next to the run at the same time. */
const inputId = (path: FieldPath, brief: boolean): string => `${brief ? 'steer' : 'field'}-${path}`;

const helpId = (path: FieldPath): string => `help-${path}`;

export const FieldControl = memo(function FieldControl(props: FieldProps) {
  const { path, value, onChange, problem, brief = false, disabled = false, off } = props;
  const { field, unit } = labelOf(path);
  return (
    <div
      className="field"
      data-changed={props.changed || undefined}
      data-problem={problem ? true : undefined}
      data-testid={`row-${path}`}
    >
      <div className="field-row">
        <label htmlFor={inputId(path, brief)}>
          <code>{field}</code>
          {unit && !brief ? <span className="muted"> {unit}</span> : null}
        </label>
        {props.changed && props.onReset ? (
          <ResetButton field={field} onClick={props.onReset} />
        ) : null}
        <FieldInput
          id={inputId(path, brief)}
          describedBy={brief ? undefined : helpId(path)}
          path={path}
          value={value}
          onChange={onChange}
          disabled={disabled || Boolean(off)}
        />
      </div>
      {brief ? null : <FieldHelp path={path} />}
      {off && !brief ? <p className="field-help">{off}</p> : null}
      {problem ? (
        <p className="field-problem" role="alert">
          {problem.message} {problem.hint}
        </p>
      ) : null}
    </div>
  );
});

function ResetButton({ field, onClick }: { field: string; onClick: () => void }) {
  return (
    <ActionIcon
      title="Reset to default"
      size="sm"
      variant="subtle"
      color="gray"
      aria-label={`Reset ${field} to its default`}
      onClick={onClick}
    >
      <IconArrowBackUp size={15} />
    </ActionIcon>
  );
}

function FieldHelp({ path }: { path: FieldPath }) {
  const { does, zero, source } = labelOf(path);
  return (
    <p className="field-help" id={helpId(path)}>
      {does}
      {zero ? ` 0: ${zero}.` : ''}
      <span className="field-source">
        {' '}
        {source}
        {rangeText(rangeOf(path))}
      </span>
    </p>
  );
}

function rangeText(range: FieldRange): string {
  switch (range.kind) {
    case 'number': {
      const [min, max, initial] = [range.min, range.max, range.default].map(rangeNumberText);
      return ` · ${min} to ${max}, default ${initial}`;
    }
    case 'texts':
      return ` · at most ${range.max_items}`;
    case 'flag':
    case 'choice':
      return '';
    default:
      return range satisfies never;
  }
}
