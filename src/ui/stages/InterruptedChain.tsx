/** A chain that ended before its last stage, or whose page was closed: it can be continued. */
import { Button, Group } from '@mantine/core';
import { IconPlayerPlay } from '@tabler/icons-react';
import { useState } from 'react';
import { forgetRecipe, keptRecipe, lastStarted, type KeptRecipe } from '../../store/kept_recipe.ts';
import { count } from '../../store/index.ts';
import { useLibrary, useRun } from '../context.tsx';

export function InterruptedChain({ onContinue }: { onContinue: (kept: KeptRecipe) => void }) {
  const [kept, setKept] = useState(keptRecipe);
  const runs = useLibrary((state) => state.runs);
  const loaded = useLibrary((state) => state.loaded);
  const last = kept ? lastStarted(kept) : undefined;
  const record = runs.find(({ run }) => run === last?.run);
  const open = useRun((state) => state.run);
  // A run that another tab has open may be the chain itself, which goes on there.
  if (!kept || !loaded || (record?.locked && record.run !== open)) return null;
  const done = kept.members.filter(({ status }) => status === 'done').length;
  const standing =
    record?.resumable && last?.status !== 'done'
      ? ` “${record.name}” is saved at step ${count(record.step)} of ${count(record.max_iters)}.`
      : '';
  return (
    <div className="chain-progress">
      <p>
        “{kept.name}” has not reached its last stage: {done} of {kept.members.length} stages{' '}
        {done === 1 ? 'is' : 'are'} done.{standing}
      </p>
      <Group gap="xs">
        <Button
          size="xs"
          leftSection={<IconPlayerPlay size={16} />}
          onClick={() => onContinue(kept)}
        >
          Continue the chain
        </Button>
        <Button
          size="xs"
          variant="subtle"
          onClick={() => {
            forgetRecipe();
            setKept(null);
          }}
        >
          Forget it
        </Button>
      </Group>
    </div>
  );
}
