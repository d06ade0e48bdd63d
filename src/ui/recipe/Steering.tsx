/** Settings of a running model that take effect at once: a factor on the learning rate schedule. */
import { ActionIcon } from '@mantine/core';
import { IconArrowBackUp } from '@tabler/icons-react';
import { measure } from '../../store/index.ts';
import { useClient, useRun } from '../context.tsx';
import { NumberInput } from './FieldInput.tsx';

const MULTIPLIER = { kind: 'number', integer: false, min: 0.001, max: 100, default: 1 } as const;
const INPUT = 'steer-lr_multiplier';
const HELP = 'help-lr_multiplier';

export function Steering() {
  const client = useClient();
  const multiplier = useRun((state) => state.lr_multiplier);
  const followsSchedule = multiplier === 1;
  return (
    <section className="steering" aria-label="Running model">
      <div className="field-row">
        <label htmlFor={INPUT}>Learning rate ×</label>
        {followsSchedule ? null : (
          <ActionIcon
            title="Back to the schedule"
            size="sm"
            variant="subtle"
            color="gray"
            aria-label="Reset the learning rate to the schedule"
            onClick={() => client.setLrMultiplier(1)}
          >
            <IconArrowBackUp size={15} />
          </ActionIcon>
        )}
        <NumberInput
          id={INPUT}
          describedBy={HELP}
          disabled={false}
          range={MULTIPLIER}
          value={multiplier}
          onChange={(value) => {
            client.setLrMultiplier(value);
            return true;
          }}
        />
      </div>
      <p className="small muted" id={HELP}>
        {followsSchedule
          ? 'The learning rate follows the schedule. '
          : `The learning rate is ${measure(multiplier)} times the schedule’s. `}
        A change takes effect now.
      </p>
    </section>
  );
}
