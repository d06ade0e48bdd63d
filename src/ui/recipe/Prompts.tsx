/** What the samples begin with. */
import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { labelOf, rangeOf } from '../../config/index.ts';
import { setField } from '../../store/index.ts';
import { useClient, useForm } from '../context.tsx';

export function Prompts() {
  const { form } = useClient().stores;
  const prompts = useForm((state) => state.config.sampling.prompts);
  const range = rangeOf('sampling.prompts');
  const most = range.kind === 'texts' ? range.max_items : 8;
  const set = (next: string[]): void => {
    setField(form, 'sampling.prompts', next);
  };
  return (
    <div className="field">
      <div className="field-row">
        <code>prompts</code>
      </div>
      <p className="field-help">{labelOf('sampling.prompts').does}</p>
      {prompts.map((prompt, index) => (
        <TextInput
          key={index}
          size="xs"
          mt={4}
          aria-label={`Prompt ${index + 1}`}
          placeholder="(begins with nothing)"
          value={prompt}
          onChange={(event) =>
            set(prompts.map((old, at) => (at === index ? event.currentTarget.value : old)))
          }
          rightSection={
            <ActionIcon
              size="sm"
              variant="subtle"
              color="gray"
              aria-label={`Remove prompt ${index + 1}`}
              onClick={() => set(prompts.filter((_, at) => at !== index))}
            >
              <IconX size={13} />
            </ActionIcon>
          }
        />
      ))}
      <Button
        size="compact-xs"
        mt={6}
        variant="subtle"
        leftSection={<IconPlus size={13} />}
        disabled={prompts.length >= most}
        onClick={() => set([...prompts, ''])}
      >
        Add a prompt
      </Button>
    </div>
  );
}
