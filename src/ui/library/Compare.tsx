/** The same seed and configuration on every backend, on WebGPU in three ways, side by side. */
import { Button, Modal, TextInput } from '@mantine/core';
import { IconCopy, IconPlayerPlayFilled, IconPlayerStopFilled } from '@tabler/icons-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import {
  COMPARE_HEADINGS,
  compareCells,
  compareMarkdown,
  CONTENDERS,
  contenderOf,
  isMoving,
  type Contender,
} from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { parseNumber } from '../recipe/numbers.ts';
import './styles.ts';

const STEPS = { integer: true, min: 1, max: 10_000 };

const keyOf = (row: Pick<Contender, 'backend' | 'mode'>): string => `${row.backend} ${row.mode}`;

export default function Compare() {
  const client = useClient();
  const state = useStore(client.stores.compare);
  const moving = useRun((run) => isMoving(run.phase));
  const config = useForm((form) => form.config);
  const [chosen, setChosen] = useState<readonly Contender[]>(CONTENDERS);
  const [text, setText] = useState('20');
  const [copied, setCopied] = useState(false);
  const steps = parseNumber(text, STEPS);
  const start = (): void => {
    if (steps !== null) client.compare(config, chosen, steps);
  };
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(compareMarkdown(state.rows));
      setCopied(true);
    } catch {
      client.notify('The browser refused the clipboard.');
    }
  };
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
        The recipe at hand, with the same seed, in each way in turn. The first step, which compiles,
        is not timed; loss drift is the largest relative difference from the first row.
      </p>
      <div className="compare-form">
        <fieldset>
          <legend className="sr-only">What to compare</legend>
          {CONTENDERS.map((one) => (
            <label key={keyOf(one)} title={one.about}>
              <input
                type="checkbox"
                checked={chosen.includes(one)}
                disabled={state.running !== null}
                onChange={(event) =>
                  setChosen(
                    event.currentTarget.checked
                      ? CONTENDERS.filter((other) => other === one || chosen.includes(other))
                      : chosen.filter((other) => other !== one),
                  )
                }
              />{' '}
              {one.backend === 'webgpu' ? `${one.backend}, ${one.label}` : one.backend}
            </label>
          ))}
        </fieldset>
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
        {state.running ? (
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
            disabled={moving || steps === null || chosen.length === 0}
            onClick={start}
          >
            Run
          </Button>
        )}
        <Button
          size="xs"
          variant="default"
          leftSection={<IconCopy size={14} />}
          disabled={state.rows.length === 0}
          onClick={() => {
            void copy();
          }}
        >
          {copied ? 'Copied' : 'Copy as Markdown'}
        </Button>
      </div>
      {moving ? (
        <p className="small muted">Pause the run first: two at once would slow each other down.</p>
      ) : null}
      <p className="small muted compare-state" role="status">
        {state.running
          ? `${state.running.backend}, ${state.running.label}: ${state.detail || 'running'}…`
          : ''}
      </p>
      {state.rows.length > 0 ? (
        <div className="compare-table" tabIndex={0} role="region" aria-label="Comparison">
          <table data-testid="comparison">
            <thead>
              <tr>
                {COMPARE_HEADINGS.map((heading) => (
                  <th key={heading} scope="col">
                    {heading}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {state.rows.map((row) => (
                <tr key={keyOf(row)} data-failed={row.error ? true : undefined}>
                  {row.error ? (
                    <>
                      <th scope="row">{row.backend}</th>
                      <td colSpan={COMPARE_HEADINGS.length - 1}>
                        {compareCells(state.rows, row)[1]}
                      </td>
                    </>
                  ) : (
                    compareCells(state.rows, row).map((cell, index) =>
                      index === 0 ? (
                        <th key={index} scope="row">
                          {cell}
                        </th>
                      ) : (
                        <td key={index}>
                          {cell}
                          {index === 1 ? (
                            <span className="compare-about">{contenderOf(row)?.about}</span>
                          ) : null}
                        </td>
                      ),
                    )
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </Modal>
  );
}
