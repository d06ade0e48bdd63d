/** Creates a room that trains the current recipe. */
import { Button, NumberInput } from '@mantine/core';
import { useState } from 'react';
import { defaultOuter, type OuterConfig } from '../../store/pool/index.ts';
import { count } from '../../store/index.ts';
import { useForm } from '../context.tsx';
import { goTo } from '../place.ts';
import { MemberName, useMemberName } from './MemberName.tsx';
import { useClassroom, useRoom } from './useClassroom.ts';

export function CreateRoom() {
  const classroom = useClassroom();
  const opening = useRoom((state) => state.opening);
  const steps = useForm((form) => form.config.training.max_iters);
  const [name, setName] = useMemberName();
  const [changes, setChanges] = useState<Partial<OuterConfig>>({});
  const outer = { ...defaultOuter(steps), ...changes };
  const rounds = Math.ceil(steps / outer.local_steps);
  return (
    <form
      className="together-way"
      onSubmit={(event) => {
        event.preventDefault();
        void classroom.create({ name: name.trim() || 'Host', ...outer });
      }}
    >
      <h2>Create a room</h2>
      <p className="small muted">
        It trains the current recipe for {count(steps)} steps, in {count(rounds)} rounds.{' '}
        <button type="button" className="link" onClick={() => goTo({ at: 'workspace' })}>
          Change the recipe
        </button>
      </p>
      <MemberName name={name} onChange={setName} />
      <OuterFields outer={outer} change={(some) => setChanges({ ...changes, ...some })} />
      <Button type="submit" loading={opening} disabled={opening}>
        Create the room
      </Button>
    </form>
  );
}

interface OuterFieldsProps {
  outer: OuterConfig;
  change: (some: Partial<OuterConfig>) => void;
}

function OuterFields({ outer, change }: OuterFieldsProps) {
  const field = (name: keyof OuterConfig, range: { min: number; max: number; step: number }) => ({
    size: 'xs' as const,
    value: outer[name],
    clampBehavior: 'strict' as const,
    allowNegative: false,
    allowDecimal: name !== 'local_steps',
    ...range,
    onChange: (value: string | number) => {
      if (typeof value === 'number') change({ [name]: value });
    },
  });
  return (
    <div className="together-fields">
      <NumberInput
        label="Local steps (H)"
        {...field('local_steps', { min: 1, max: 10_000, step: 5 })}
      />
      <NumberInput
        label="Outer learning rate"
        {...field('outer_learning_rate', { min: 0, max: 2, step: 0.1 })}
      />
      <NumberInput
        label="Outer momentum"
        {...field('outer_momentum', { min: 0, max: 0.99, step: 0.1 })}
      />
    </div>
  );
}
