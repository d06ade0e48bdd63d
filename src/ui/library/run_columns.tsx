/** The columns of the table of runs. */
import {
  createColumnHelper,
  createSortedRowModel,
  rowSelectionFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
  type ReactTable,
} from '@tanstack/react-table';
import {
  ago,
  bytes,
  compact,
  count,
  lossText,
  STATUS_TEXT,
  type RunRecord,
  type RunStatus,
  validationLoss,
} from '../../store/index.ts';
import { CutName } from '../CutName.tsx';

/** A run with what the page knows about it. */
export interface RunRow {
  record: RunRecord;
  status: RunStatus;
  /** Milliseconds since 1970, for ages. */
  now: number;
}

export const features = tableFeatures({
  rowSelectionFeature,
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});

export type RunTableInstance = ReactTable<typeof features, RunRow>;

const helper = createColumnHelper<typeof features, RunRow>();

const loss = (value: number | undefined): string => (value === undefined ? '–' : lossText(value));

const TEXT = { sortFn: 'alphanumeric', sortDescFirst: false } as const;
const NUMBER = { sortFn: 'basic', sortUndefined: 'last' } as const;

export const columns = helper.columns([
  helper.accessor(({ record }) => record.name, {
    id: 'name',
    header: 'Name',
    ...TEXT,
    cell: ({ getValue, row }) => <NameCell name={getValue()} record={row.original.record} />,
  }),
  helper.accessor(({ status }) => STATUS_TEXT[status], {
    id: 'status',
    header: 'Status',
    ...TEXT,
    cell: ({ getValue, row }) => (
      <span className="run-status" data-status={row.original.status}>
        {getValue()}
      </span>
    ),
  }),
  helper.accessor(({ record }) => record.step, {
    id: 'step',
    header: 'Step',
    ...NUMBER,
    cell: ({ row: { original } }) => (
      <>
        {count(original.record.step)}
        <span className="muted"> of {count(original.record.max_iters)}</span>
      </>
    ),
  }),
  helper.accessor(({ record }) => validationLoss(record) ?? undefined, {
    id: 'best',
    header: 'Best validation loss',
    ...NUMBER,
    sortDescFirst: false,
    cell: ({ getValue }) => loss(getValue()),
  }),
  helper.accessor(({ record }) => record.last_val_loss ?? undefined, {
    id: 'last',
    header: 'Last validation loss',
    ...NUMBER,
    sortDescFirst: false,
    cell: ({ getValue }) => loss(getValue()),
  }),
  helper.accessor(({ record }) => record.n_params, {
    id: 'parameters',
    header: 'Parameters',
    ...NUMBER,
    cell: ({ getValue }) => compact(getValue()),
  }),
  helper.accessor(({ record }) => record.lineage.dataset, {
    id: 'dataset',
    header: 'Training text',
    ...TEXT,
  }),
  helper.accessor(({ record }) => record.created, {
    id: 'created',
    header: 'Created',
    ...NUMBER,
    cell: ({ getValue, row }) => <Age then={getValue()} now={row.original.now} />,
  }),
  helper.accessor(({ record }) => record.updated, {
    id: 'updated',
    header: 'Updated',
    ...NUMBER,
    cell: ({ getValue, row }) => <Age then={getValue()} now={row.original.now} />,
  }),
  helper.accessor(({ record }) => record.bytes, {
    id: 'storage',
    header: 'Storage',
    ...NUMBER,
    cell: ({ getValue }) => bytes(getValue()),
  }),
]);

/** Columns with numbers are aligned right. */
export const NUMERIC: ReadonlySet<string> = new Set([
  'step',
  'best',
  'last',
  'parameters',
  'storage',
]);

/** The name, and where the initial weights came from, if they were not random. */
function NameCell({ name, record }: { name: string; record: RunRecord }) {
  const { parent } = record.lineage;
  return (
    <>
      <b>
        <CutName name={name} />
      </b>
      {parent ? (
        <span className="run-parent small muted">
          <CutName name={`from ${parent.name}`} />
          {parent.kind === 'run' ? `step ${count(parent.step)}` : ''}
        </span>
      ) : null}
    </>
  );
}

function Age({ then, now }: { then: number; now: number }) {
  return (
    <time dateTime={new Date(then).toISOString()} title={new Date(then).toLocaleString()}>
      {ago(then, now)}
    </time>
  );
}
