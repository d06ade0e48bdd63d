/**
 * One option: its name, what it does, where it comes from, its range, and the way back to its
 * default.
 */
import { ActionIcon, Switch, TextInput } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import { memo, useState, type ReactNode } from 'react';
import {
  labelOf,
  rangeOf,
  type FieldPath,
  type FieldRange,
  type FieldValue,
  type Problem,
} from '../../config/index.ts';
import { compact } from '../../store/index.ts';
import { nudge, parseNumber } from './numbers.ts';

interface FieldProps {
  path: FieldPath;
  value: FieldValue;
  /** False where the value is outside of the field's range. */
  onChange: (value: FieldValue) => boolean;
  changed?: boolean;
  onReset?: () => void;
  problem?: Problem;
  /** Name and control alone, for places where space is short. */
  brief?: boolean;
  disabled?: boolean;
  /** Why it has no effect here: the control is off, and says so. */
  off?: string | null;
}

export const FieldControl = memo(function FieldControl(props: FieldProps) {
  const { path, problem, changed, onReset, brief, disabled, off } = props;
  const label = labelOf(path);
  const range = rangeOf(path);
  const help = `help-${path}`;
  return (
    <div
      className="field"
      data-changed={changed || undefined}
      data-problem={problem ? true : undefined}
      data-testid={`row-${path}`}
    >
      <div className="field-row">
        <label htmlFor={controlId(path, brief)}>
          <code>{label.field}</code>
          {label.unit && !brief ? <span className="muted"> {label.unit}</span> : null}
        </label>
        {changed && onReset ? (
          <ActionIcon
            title="Back to the default"
            size="sm"
            variant="subtle"
            color="gray"
            aria-label={`Reset ${label.field} to its default`}
            onClick={onReset}
          >
            <IconArrowBackUp size={15} />
          </ActionIcon>
        ) : null}
        <Control
          {...props}
          disabled={disabled || Boolean(off)}
          range={range}
          describedBy={brief ? undefined : help}
        />
      </div>
      {brief ? null : (
        <p className="field-help" id={help}>
          {label.does}
          {label.zero ? ` 0: ${label.zero}.` : ''}
          <span className="field-source">
            {' '}
            {label.source}
            {rangeText(range)}
          </span>
        </p>
      )}
      {off && !brief ? <p className="field-help">{off}</p> : null}
      {problem ? (
        <p className="field-problem" role="alert">
          {problem.message} {problem.hint}
        </p>
      ) : null}
    </div>
  );
});

function rangeText(range: FieldRange): string {
  if (range.kind === 'number')
    return ` · ${shortNumber(range.min)} to ${shortNumber(range.max)}, default ${shortNumber(range.default)}`;
  return range.kind === 'texts' ? ` · at most ${range.max_items}` : '';
}
const shortNumber = (value: number): string =>
  value >= 1e6
    ? compact(value)
    : value !== 0 && value < 1e-3
      ? value.toExponential()
      : value.toLocaleString('en');

interface ControlProps extends FieldProps {
  range: FieldRange;
  describedBy: string | undefined;
}

/** A field stands once in the recipe and may stand once more, briefly, beside the run. */
const controlId = (path: FieldPath, brief?: boolean): string =>
  `${brief ? 'steer' : 'field'}-${path}`;

function Control({
  path,
  value,
  onChange,
  range,
  describedBy,
  disabled,
  brief,
}: ControlProps): ReactNode {
  const common = { id: controlId(path, brief), 'aria-describedby': describedBy, disabled };
  switch (range.kind) {
    case 'flag':
      return (
        <Switch
          {...common}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
          size="sm"
        />
      );
    case 'choice':
      return (
        <Choice
          {...common}
          path={path}
          options={range.options}
          value={String(value)}
          onChange={onChange}
        />
      );
    case 'number':
      return <NumberField {...common} range={range} value={Number(value)} onChange={onChange} />;
    case 'texts':
      return null;
    default:
      return range satisfies never;
  }
}

/** The browser's own list: it opens where the person expects it, on a phone too. */
function Choice({
  path,
  options,
  value,
  onChange,
  ...common
}: {
  id: string;
  path: FieldPath;
  options: readonly string[];
  value: string;
  onChange: (value: string) => boolean;
  disabled?: boolean;
}) {
  const titles = labelOf(path).options ?? {};
  return (
    <select
      {...common}
      className="native-select"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map((option) => (
        <option key={option} value={option}>
          {titles[option] ? `${option}: ${titles[option]}` : option}
        </option>
      ))}
    </select>
  );
}

type NumberRange = Extract<FieldRange, { kind: 'number' }>;

/**
 * Accepts 1e-3 and 0,5; arrow keys go by sensible steps; a value outside of the range is said so
 * and not taken.
 */
function NumberField({
  range,
  value,
  onChange,
  ...common
}: {
  id: string;
  range: NumberRange;
  value: number;
  onChange: (value: number) => boolean;
  disabled?: boolean;
}) {
  const [draft, setDraft] = useState<string | null>(null);
  const parsed = draft === null ? value : parseNumber(draft, range);
  const take = (text: string): void => {
    setDraft(text);
    const number = parseNumber(text, range);
    if (number !== null) onChange(number);
  };
  return (
    <TextInput
      {...common}
      className="number-field"
      size="xs"
      inputMode={range.integer ? 'numeric' : 'decimal'}
      autoComplete="off"
      value={draft ?? numberText(value)}
      error={
        parsed === null
          ? `${shortNumber(range.min)} to ${shortNumber(range.max)}${range.integer ? ', whole' : ''}`
          : undefined
      }
      onChange={(event) => take(event.currentTarget.value)}
      onBlur={() => setDraft(null)}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
        event.preventDefault();
        const next = nudge(value, event.key === 'ArrowUp' ? 1 : -1, range);
        setDraft(null);
        onChange(next);
      }}
    />
  );
}

const numberText = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
