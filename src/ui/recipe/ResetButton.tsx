/** Takes a changed option back to the value of the preset, or to its default. */
import { ActionIcon } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import { labelOf, type FieldPath, type FieldValue } from '../../config/index.ts';
import { valueText } from './value_text.ts';

interface ResetProps {
  path: FieldPath;
  initial: FieldValue;
  onClick: () => void;
}

export function ResetButton({ path, initial, onClick }: ResetProps) {
  const back = `Back to ${valueText(path, initial)}`;
  return (
    <ActionIcon
      title={back}
      size={24}
      variant="subtle"
      aria-label={`${back}: ${labelOf(path).name}`}
      onClick={onClick}
    >
      <IconArrowBackUp size={15} />
    </ActionIcon>
  );
}
