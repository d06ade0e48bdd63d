/** Fields of the panel. */
import { NativeSelect, NumberInput } from '@mantine/core';

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

export function NumberField(props: NumberFieldProps) {
  const { label, value, range, decimals = 0, problem, onChange } = props;
  const [min, max] = range;
  return (
    <NumberInput
      size="xs"
      label={label}
      value={value}
      min={min}
      max={max}
      clampBehavior="blur"
      decimalScale={decimals}
      error={problem}
      onChange={(next) => {
        if (typeof next === 'number' && next >= min && next <= max) onChange(next);
      }}
    />
  );
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
