/** Trains the same configuration and seed on several backends and shows them side by side. */
import { Button, Modal, TextInput } from '@mantine/core';
import { IconCopy, IconPlayerPlayFilled, IconPlayerStopFilled } from '@tabler/icons-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import {
  BACKEND_NAMES,
  COMPARE_MODES,
  COMPARED_BACKENDS,
  compareMarkdown,
  contenderName,
  CONTENDERS,
  FIRST_CONTENDERS,
} from '../../store/compare_table.ts';
import { type Contender, isMoving } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { Hint } from '../Hint.tsx';
import { parseNumber } from '../recipe/numbers.ts';
import { CompareBars } from './CompareBars.tsx';
import { CompareTable } from './CompareTable.tsx';
import './styles.ts';

const STEP_RANGE = { integer: true, min: 1, max: 10_000 };

export default function Compare() {
  const client = useClient();
  const { rows, running, detail } = useStore(client.stores.compare);
  const training = useRun((run) => isMoving(run.phase));
  const [selected, setSelected] = useState(FIRST_CONTENDERS);
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title="Compare backends"
      size="auto"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <p className="muted compare-lead">
        Trains the current recipe from the same weights on the same batches in each of these ways.
        The first step, which compiles, is not timed. Loss drift is the largest relative difference
        from the losses of the first row.
      </p>
      <div className="compare-form">
        <ContenderChoice selected={selected} disabled={running !== null} onChange={setSelected} />
        <Hint about="the ways to train">
          <WaysHint />
        </Hint>
        <RunButtons selected={selected} disabled={training || selected.length === 0} />
        <CopyButton />
      </div>
      {training ? (
        <p className="small muted">
          Pause the run first: training and comparing at the same time would slow each other down.
        </p>
      ) : null}
      <p className="small muted compare-state" role="status">
        {running ? `${contenderName(running)}: ${detail || 'running'}…` : ''}
      </p>
      <CompareBars rows={rows} />
      {rows.length > 0 ? <CompareTable rows={rows} /> : null}
    </Modal>
  );
}

function WaysHint() {
  return (
    <>
      <p>A kernel is a small program that runs on the GPU. A training step takes many of them.</p>
      <dl className="hint-terms">
        {Object.values(COMPARE_MODES).map(({ label, about }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{about}</dd>
          </div>
        ))}
        <div>
          <dt>What is not fair about stock TensorFlow.js</dt>
          <dd>
            It has no gradient clipping and weight decay: both are written in its operations, so
            that the losses can be compared. Its dropout draws other masks: then they cannot. On the
            processor it has one thread.
          </dd>
        </div>
        <div>
          <dt>Kernels and submits per step</dt>
          <dd>How many kernels a step runs, and in how many batches they go to the GPU.</dd>
        </div>
      </dl>
    </>
  );
}

interface ChoiceProps {
  selected: readonly Contender[];
  disabled: boolean;
  onChange: (selected: readonly Contender[]) => void;
}

function ContenderChoice({ selected, disabled, onChange }: ChoiceProps) {
  /** Keeps the order of CONTENDERS, whose first entry is the reference. */
  const toggle = (contender: Contender, checked: boolean): void =>
    onChange(CONTENDERS.filter((one) => (one === contender ? checked : selected.includes(one))));
  return (
    <fieldset>
      <legend className="sr-only">What to compare</legend>
      {COMPARED_BACKENDS.map((backend) => (
        <div key={backend} className="compare-backend">
          <strong aria-hidden>{BACKEND_NAMES[backend]}</strong>
          {CONTENDERS.filter((one) => one.backend === backend).map((contender) => (
            <label key={contender.mode} title={COMPARE_MODES[contender.mode].about}>
              <input
                type="checkbox"
                checked={selected.includes(contender)}
                disabled={disabled}
                onChange={(event) => toggle(contender, event.currentTarget.checked)}
              />{' '}
              <span className="sr-only">{BACKEND_NAMES[backend]}, </span>
              {COMPARE_MODES[contender.mode].label}
            </label>
          ))}
        </div>
      ))}
    </fieldset>
  );
}

function RunButtons({ selected, disabled }: Omit<ChoiceProps, 'onChange'>) {
  const client = useClient();
  const running = useStore(client.stores.compare, (state) => state.running !== null);
  const config = useForm((form) => form.config);
  const [text, setText] = useState('20');
  const steps = parseNumber(text, STEP_RANGE);
  return (
    <>
      <TextInput
        size="xs"
        w={92}
        aria-label="Steps"
        value={text}
        error={steps === null}
        onChange={(event) => setText(event.currentTarget.value)}
        rightSection={<span className="small muted">steps</span>}
        rightSectionWidth={44}
      />
      {running ? (
        <Button
          size="xs"
          variant="light"
          leftSection={<IconPlayerStopFilled size={13} />}
          onClick={() => client.stopComparing()}
        >
          Stop
        </Button>
      ) : (
        <Button
          size="xs"
          leftSection={<IconPlayerPlayFilled size={13} />}
          disabled={disabled || steps === null}
          onClick={() => {
            if (steps !== null) client.compare(config, selected, steps);
          }}
        >
          Run
        </Button>
      )}
    </>
  );
}

function CopyButton() {
  const client = useClient();
  const rows = useStore(client.stores.compare, (state) => state.rows);
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(compareMarkdown(rows));
      setCopied(true);
    } catch {
      client.notify('The browser denied clipboard access.');
    }
  };
  return (
    <Button
      size="xs"
      variant="default"
      leftSection={<IconCopy size={14} />}
      disabled={rows.length === 0}
      onClick={() => {
        void copy();
      }}
    >
      {copied ? 'Copied' : 'Copy as Markdown'}
    </Button>
  );
}
