/** All runs as a table that can be sorted, filtered and selected from; as cards if narrow. */
import { NativeSelect, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useTable, type RowSelectionState, type SortingState } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { runStatus, STATUS_TEXT, type RunRecord } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { RunRows } from './RunRows.tsx';
import { columns, features, NUMERIC, type RunRow, type RunTableInstance } from './run_columns.tsx';
import { SelectionBar } from './SelectionBar.tsx';
import { useNow } from './useNow.ts';

interface RunTableProps {
  runs: readonly RunRecord[];
  onCompare: (runs: readonly string[]) => void;
  onDelete: (runs: readonly string[]) => void;
}

export function RunTable({ runs, onCompare, onDelete }: RunTableProps) {
  const [text, setText] = useState('');
  const [sorting, setSorting] = useState<SortingState>([{ id: 'updated', desc: true }]);
  const [rowSelection, setRowSelection] = useState<RowSelectionState>({});
  const data = useRows(runs, text);
  const table = useTable({
    features,
    columns,
    data,
    getRowId: ({ record }) => record.run,
    state: { sorting, rowSelection },
    onSortingChange: setSorting,
    onRowSelectionChange: setRowSelection,
    enableSortingRemoval: false,
  });
  const selected = table.getRowModel().rows.filter((row) => row.getIsSelected());
  return (
    <>
      <div className="runs-tools">
        <TextInput
          size="xs"
          type="search"
          aria-label="Filter runs"
          placeholder="Filter by name, status or text"
          leftSection={<IconSearch size={14} />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <SortChoice sorting={sorting} onChange={setSorting} />
        <SelectionBar
          selected={selected.map((row) => row.original)}
          onCompare={onCompare}
          onDelete={(ids) => {
            setRowSelection({});
            onDelete(ids);
          }}
          onClear={() => setRowSelection({})}
        />
      </div>
      {data.length === 0 ? <p className="empty">No run matches “{text}”.</p> : null}
      <div className="runs-scroll" data-empty={data.length === 0 || undefined}>
        <table className="runs-table" data-testid="runs" role="table">
          <Head table={table} />
          <RunRows table={table} onDelete={onDelete} />
        </table>
      </div>
    </>
  );
}

/** The runs whose words contain every word of `text`. */
function useRows(runs: readonly RunRecord[], text: string): RunRow[] {
  const now = useNow();
  const current = useRun((state) => state.run);
  const phase = useRun((state) => state.phase);
  return useMemo(() => {
    const words = text.toLowerCase().split(/\s+/u);
    return runs
      .map((record) => ({ record, status: runStatus(record, { run: current, phase }), now }))
      .filter((row) => {
        const content = contentOf(row);
        return words.every((word) => content.includes(word));
      });
  }, [runs, text, now, current, phase]);
}

const contentOf = ({ record, status }: RunRow): string =>
  [record.name, STATUS_TEXT[status], record.lineage.dataset, record.lineage.parent?.name ?? '']
    .join(' ')
    .toLowerCase();

function Head({ table }: { table: RunTableInstance }) {
  const all = table.getIsAllRowsSelected();
  const some = table.getIsSomeRowsSelected();
  return (
    <thead role="rowgroup">
      {table.getHeaderGroups().map((group) => (
        <tr key={group.id} role="row">
          <th role="columnheader" scope="col" className="run-check">
            <input
              type="checkbox"
              aria-label="Select all runs"
              checked={all}
              ref={(box) => {
                if (box) box.indeterminate = some && !all;
              }}
              onChange={table.getToggleAllRowsSelectedHandler()}
            />
          </th>
          {group.headers.map((header) => {
            const sorted = header.column.getIsSorted();
            return (
              <th
                key={header.id}
                role="columnheader"
                scope="col"
                data-numeric={NUMERIC.has(header.id) || undefined}
                aria-sort={ariaSort(sorted)}
              >
                <button type="button" onClick={header.column.getToggleSortingHandler()}>
                  <table.FlexRender header={header} />
                  <span aria-hidden>{ARROWS[String(sorted)]}</span>
                </button>
              </th>
            );
          })}
          <th role="columnheader" scope="col">
            <span className="sr-only">Actions</span>
          </th>
        </tr>
      ))}
    </thead>
  );
}

const ARROWS: Readonly<Record<string, string>> = { asc: ' ↑', desc: ' ↓' };

function ariaSort(sorted: false | 'asc' | 'desc'): 'ascending' | 'descending' | 'none' {
  if (sorted === false) return 'none';
  return sorted === 'asc' ? 'ascending' : 'descending';
}

interface SortChoiceProps {
  sorting: SortingState;
  onChange: (sorting: SortingState) => void;
}

/** Cards have no header to click on. Shown only where the table is narrow. */
function SortChoice({ sorting, onChange }: SortChoiceProps) {
  const [{ id, desc } = { id: 'updated', desc: true }] = sorting;
  const options = columns.flatMap(({ id: column, header }) => [
    { value: `${column} asc`, label: `${String(header)} ↑` },
    { value: `${column} desc`, label: `${String(header)} ↓` },
  ]);
  return (
    <NativeSelect
      className="runs-sort"
      size="xs"
      aria-label="Sort by"
      data={options}
      value={`${id} ${desc ? 'desc' : 'asc'}`}
      onChange={(event) => {
        const [column = id, direction] = event.currentTarget.value.split(' ');
        onChange([{ id: column, desc: direction === 'desc' }]);
      }}
    />
  );
}
