/** The prompts that samples start from. */
import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { labelOf, rangeOf } from '../../config/index.ts';
import { setField } from '../../store/index.ts';
import { useClient, useForm } from '../context.tsx';
import { FieldKey } from '../FieldKey.tsx';
import { FieldHint } from './FieldHint.tsx';
import { ResetButton } from './ResetButton.tsx';

export function Prompts() {
  const { form } = useClient().stores;
  const prompts = useForm((state) => state.config.sampling.prompts);
  const initial = useForm((state) =>
    state.changed.has('sampling.prompts') ? state.base.sampling.prompts : null,
  );
  const range = rangeOf('sampling.prompts');
  const maxItems = range.kind === 'texts' ? range.max_items : 8;
  const setPrompts = (next: string[]): void => {
    setField(form, 'sampling.prompts', next);
  };
  return (
    <div
      className="field"
      role="group"
      aria-labelledby="prompts-name"
      data-changed={initial !== null || undefined}
    >
      <div className="field-row">
        <div className="field-name">
          <span id="prompts-name">
            {labelOf('sampling.prompts').name} <FieldKey name="prompts" />
          </span>
          <FieldHint path="sampling.prompts" />
        </div>
        {initial ? (
          <ResetButton
            path="sampling.prompts"
            initial={initial}
            onClick={() => setPrompts([...initial])}
          />
        ) : null}
      </div>
      <p className="field-help">{labelOf('sampling.prompts').does}</p>
      {prompts.map((prompt, index) => (
        <Prompt
          key={index}
          number={index + 1}
          value={prompt}
          onChange={(value) => setPrompts(prompts.with(index, value))}
          onRemove={() => setPrompts(prompts.filter((_, other) => other !== index))}
        />
      ))}
      <Button
        size="compact-xs"
        mt={6}
        variant="subtle"
        leftSection={<IconPlus size={13} />}
        disabled={prompts.length >= maxItems}
        onClick={() => setPrompts([...prompts, ''])}
      >
        Add a prompt
      </Button>
    </div>
  );
}

interface PromptProps {
  number: number;
  value: string;
  onChange: (value: string) => void;
  onRemove: () => void;
}

function Prompt({ number, value, onChange, onRemove }: PromptProps) {
  return (
    <TextInput
      size="xs"
      mt={4}
      aria-label={`Prompt ${number}`}
      placeholder="(empty prompt)"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      rightSection={
        <ActionIcon
          size="sm"
          variant="subtle"
          color="gray"
          aria-label={`Remove prompt ${number}`}
          onClick={onRemove}
        >
          <IconX size={13} />
        </ActionIcon>
      }
    />
  );
}
