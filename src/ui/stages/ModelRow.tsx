/** One model of the tree: its name and objective, where it stands, its number, and its actions. */
import { Button, CloseButton } from '@mantine/core';
import { useState } from 'react';
import { objectiveLabel } from '../../config/stage/index.ts';
import {
  compact,
  count,
  isActive,
  runStatus,
  STATUS_TEXT,
  type RunRecord,
  type RunStatus,
} from '../../store/index.ts';
import { mainMetric } from '../../store/stages/main_metric.ts';
import { deletionWarning, type ModelNode } from '../../store/stages/tree.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { CutName } from '../CutName.tsx';
import { Rename } from '../library/RunRows.tsx';
import { goToModels } from '../place.ts';
import { useKeptFocus } from '../useKeptFocus.ts';
import { datasetText } from './dataset_text.ts';
import { ModelActions } from './ModelActions.tsx';

interface RowProps {
  node: ModelNode;
  onDelete: (run: string) => void;
}

export function ModelRow({ node, onDelete }: RowProps) {
  const { origin } = node;
  const record = useLiveRecord(node.record);
  const [state, setState] = useState<'shown' | 'renaming' | 'deleting'>('shown');
  const runs = useLibrary((library) => library.runs);
  const status = useStatus(record);
  const show = (): void => setState('shown');
  useKeptFocus(state, `[data-testid="model-${record.run}"] [aria-haspopup]`);
  const warning = deletionWarning(runs, record.run);
  const remove = (): void => {
    if (warning === null) onDelete(record.run);
    else setState('deleting');
  };
  return (
    <article
      className="model"
      aria-label={record.name}
      data-current={status === 'here' || undefined}
      data-testid={`model-${record.run}`}
    >
      <div className="model-name">
        <Badge objective={record.lineage.objective} />
        {state === 'renaming' ? (
          <Rename record={record} onDone={show} />
        ) : (
          <b>
            <CutName name={record.name} />
          </b>
        )}
        <p className="small muted">
          {origin === null ? null : `from ${origin}, which is not here; `}
          {datasetText(record)}
        </p>
        {isOnlyHere(record, status) ? (
          <p className="small" data-testid="model-unsaved">
            Nothing of it is saved yet, as “Save every” is 0: a reload before it pauses or stops
            loses it.
          </p>
        ) : null}
      </div>
      <Standing record={record} status={status} />
      <Measured record={record} />
      <ModelActions
        record={record}
        status={status}
        onRename={() => setState('renaming')}
        onDelete={remove}
      />
      <Notices run={record.run} />
      {state === 'deleting' && warning !== null ? (
        <Confirm
          name={record.name}
          warning={warning}
          onCancel={show}
          onDelete={() => onDelete(record.run)}
        />
      ) : null}
    </article>
  );
}

export function Badge({ objective }: { objective: string }) {
  const { badge, name } = objectiveLabel(objective);
  return (
    <span className="objective" data-objective={objective} title={name}>
      {badge}
    </span>
  );
}

/** The run that trains here is further than it was when the list was read. */
function useLiveRecord(record: RunRecord): RunRecord {
  const isHere = useRun((state) => state.run === record.run && isActive(state.phase));
  const step = useRun((state) => (isHere ? state.step : record.step));
  const stage = useRun((state) => (isHere ? state.stage : null));
  return { ...record, step, stage: stage ?? record.stage };
}

function useStatus(record: RunRecord): RunStatus {
  const current = useRun((state) => state.run);
  const phase = useRun((state) => state.phase);
  return runStatus(record, { run: current, phase });
}

/** A run without automatic checkpoints that is in no storage yet. */
const isOnlyHere = ({ resumable, config }: RunRecord, status: RunStatus): boolean =>
  status === 'here' && !resumable && config.runtime.autosave_interval === 0;

function Standing({ record, status }: { record: RunRecord; status: RunStatus }) {
  const { votes = 0 } = record;
  return (
    <div className="model-standing small">
      <span className="run-status" data-status={status}>
        {STATUS_TEXT[status]}
      </span>
      <span className="muted">
        step {count(record.step)} of {count(record.max_iters)}
      </span>
      <span className="muted">{compact(record.n_params)} parameters</span>
      {votes > 0 ? (
        <button
          type="button"
          className="link"
          onClick={() => goToModels('votes', record.run)}
        >{`${votes} ${votes === 1 ? 'vote' : 'votes'}`}</button>
      ) : null}
    </div>
  );
}

function Measured({ record }: { record: RunRecord }) {
  const table = useLibrary((state) => state.histories.get(record.run));
  const metric = mainMetric(record, table);
  return (
    <div className="model-metric">
      {metric ? (
        <>
          <b>{metric.text}</b>
          <span className="small muted">{metric.label}</span>
        </>
      ) : null}
    </div>
  );
}

/** What its training has noticed; the workspace shows it as well. */
function Notices({ run }: { run: string }) {
  const client = useClient();
  const notices = useRun((state) => state.notices);
  return notices
    .filter((notice) => notice.run === run)
    .map(({ id, message }) => (
      <div key={id} className="message model-notice" data-kind="quiet" role="status">
        <p>{message}</p>
        <CloseButton aria-label="Dismiss" onClick={() => client.dismissNotice(id)} />
      </div>
    ));
}

interface ConfirmProps {
  name: string;
  warning: string;
  onCancel: () => void;
  onDelete: () => void;
}

/** Asks once before the parent of other models is deleted. */
function Confirm({ name, warning, onCancel, onDelete }: ConfirmProps) {
  return (
    <div className="message model-confirm" data-kind="warn" role="alert">
      <p>
        Delete “{name}”? {warning}
      </p>
      <Button size="xs" color="red" onClick={onDelete}>
        Delete
      </Button>
      <Button size="xs" variant="default" onClick={onCancel} data-autofocus autoFocus>
        Keep it
      </Button>
    </div>
  );
}
