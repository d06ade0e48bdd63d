/** The input of one field: a switch, a select or a number, depending on the field's range. */
import { Switch, TextInput } from '@mantine/core';
import { useState } from 'react';
import {
  labelOf,
  optionUnavailable,
  rangeOf,
  type FieldPath,
  type FieldRange,
  type FieldValue,
} from '../../config/index.ts';
import { useForm } from '../context.tsx';
import { nudge, numberProblem, numberText, parseNumber } from './numbers.ts';

interface InputProps {
  id: string;
  /** Id of the element that describes the field. */
  describedBy: string | undefined;
  disabled: boolean;
}

interface FieldInputProps extends InputProps {
  path: FieldPath;
  value: FieldValue;
  /** Returns false if the value is outside the field's range. */
  onChange: (value: FieldValue) => boolean;
}

export function FieldInput({ path, value, onChange, ...input }: FieldInputProps) {
  const range = rangeOf(path);
  const config = useForm((state) => state.config);
  switch (range.kind) {
    case 'flag':
      return <FlagInput {...input} value={value === true} onChange={onChange} />;
    case 'choice':
      return (
        <ChoiceInput
          {...input}
          titles={labelOf(path).names ?? {}}
          options={range.options}
          unavailable={(option) => optionUnavailable(path, option, config)}
          value={String(value)}
          onChange={onChange}
        />
      );
    case 'number':
      return <NumberInput {...input} range={range} value={Number(value)} onChange={onChange} />;
    case 'texts':
      // Prompts have a panel of their own.
      return null;
    default:
      return range satisfies never;
  }
}

interface FlagProps extends InputProps {
  value: boolean;
  onChange: (value: boolean) => boolean;
}

export function FlagInput({ id, describedBy, disabled, value, onChange }: FlagProps) {
  return (
    <Switch
      id={id}
      aria-describedby={describedBy}
      disabled={disabled}
      checked={value}
      onChange={(event) => onChange(event.currentTarget.checked)}
      size="sm"
    />
  );
}

interface ChoiceProps extends InputProps {
  options: readonly string[];
  titles: Readonly<Record<string, string>>;
  /** Why an option cannot be chosen, or null. */
  unavailable: (option: string) => string | null;
  value: string;
  onChange: (value: string) => boolean;
}

/** A native select, which opens in the place that the platform's users expect. */
export function ChoiceInput(props: ChoiceProps) {
  const { id, describedBy, disabled, options, titles, unavailable, value, onChange } = props;
  return (
    <select
      id={id}
      aria-describedby={describedBy}
      disabled={disabled}
      className="native-select"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map((option) => {
        const title = titles[option] ?? option;
        const why = unavailable(option);
        return (
          <option key={option} value={option} disabled={why !== null && option !== value}>
            {why === null ? title : `${title}: ${why}`}
          </option>
        );
      })}
    </select>
  );
}

interface NumberProps extends InputProps {
  range: Extract<FieldRange, { kind: 'number' }>;
  value: number;
  onChange: (value: number) => boolean;
}

/**
 * Accepts "1e-3" and "0,5"; arrow keys step to the next round number. A value outside the range is
 * marked as an error and not applied.
 */
export function NumberInput({ id, describedBy, disabled, range, value, onChange }: NumberProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const problem = draft === null ? '' : numberProblem(draft, range);
  const onDraft = (text: string): void => {
    setDraft(text);
    const number = parseNumber(text, range);
    if (number !== null) onChange(number);
  };
  return (
    <TextInput
      id={id}
      aria-describedby={describedBy}
      disabled={disabled}
      className="number-field"
      size="xs"
      inputMode={range.integer ? 'numeric' : 'decimal'}
      autoComplete="off"
      value={draft ?? numberText(value)}
      error={problem || undefined}
      onChange={(event) => onDraft(event.currentTarget.value)}
      onBlur={() => setDraft(null)}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
        event.preventDefault();
        setDraft(null);
        onChange(nudge(value, event.key === 'ArrowUp' ? 1 : -1, range));
      }}
    />
  );
}
