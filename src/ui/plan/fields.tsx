/** Fields of the panel. */
import { NativeSelect, NumberInput } from '@mantine/core';
import { useState } from 'react';
import { rangeNumberText } from '../recipe/numbers.ts';

interface NumberFieldProps {
  label: string;
  value: number;
  /** Smallest and largest value. */
  range: readonly [number, number];
  decimals?: number;
  /** What is wrong, in one sentence. */
  problem?: string | undefined;
  onChange: (value: number) => void;
}

/** What is typed outside of the range has a sentence, and is clamped when the field is left. */
export function NumberField(props: NumberFieldProps) {
  const { label, value, range, decimals = 0, problem, onChange } = props;
  const [min, max] = range;
  /** Null unless what is typed cannot be the value. */
  const [draft, setDraft] = useState<string | number | null>(null);
  return (
    <NumberInput
      size="xs"
      label={label}
      value={draft ?? value}
      min={min}
      max={max}
      clampBehavior="blur"
      decimalScale={decimals}
      error={rangeProblem(draft, range) || problem}
      onChange={(next) => {
        const isUsable = typeof next === 'number' && next >= min && next <= max;
        setDraft(isUsable ? null : next);
        if (isUsable) onChange(next);
      }}
      onBlur={() => setDraft(null)}
    />
  );
}

/** '' while nothing or only the beginning of a number is typed. */
function rangeProblem(
  draft: string | number | null,
  [min, max]: readonly [number, number],
): string {
  const typed = draft === null || draft === '' ? NaN : Number(draft);
  return typed < min || typed > max
    ? `From ${rangeNumberText(min)} to ${rangeNumberText(max)}.`
    : '';
}

interface ChoiceProps<T extends string> {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}

export function Choice<T extends string>({ label, options, value, onChange }: ChoiceProps<T>) {
  return (
    <NativeSelect
      size="xs"
      label={label}
      data={options.map(([name, text]) => ({ value: name, label: text }))}
      value={value}
      onChange={({ currentTarget }) => {
        const chosen = options.find(([name]) => name === currentTarget.value);
        if (chosen) onChange(chosen[0]);
      }}
    />
  );
}
