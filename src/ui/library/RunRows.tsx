/** The rows of the table of runs; one can be renamed in place. */
import { TextInput } from '@mantine/core';
import { useState } from 'react';
import type { RunRecord } from '../../store/index.ts';
import { useClient } from '../context.tsx';
import { NUMERIC, type RunTableInstance } from './run_columns.tsx';
import { RunActions } from './RunActions.tsx';

interface RunRowsProps {
  table: RunTableInstance;
  onDelete: (runs: readonly string[]) => void;
}

export function RunRows({ table, onDelete }: RunRowsProps) {
  const [renaming, setRenaming] = useState<string | null>(null);
  return (
    <tbody role="rowgroup">
      {table.getRowModel().rows.map((row) => {
        const { record, status } = row.original;
        return (
          <tr
            key={row.id}
            role="row"
            data-selected={row.getIsSelected() || undefined}
            data-testid={`run-${record.run}`}
          >
            <td role="cell" className="run-check">
              <input
                type="checkbox"
                aria-label={`Select ${record.name}`}
                checked={row.getIsSelected()}
                onChange={row.getToggleSelectedHandler()}
              />
            </td>
            {row.getAllCells().map((cell) => (
              <td
                key={cell.id}
                role="cell"
                data-column={cell.column.id}
                data-numeric={NUMERIC.has(cell.column.id) || undefined}
                data-label={String(cell.column.columnDef.header)}
              >
                {cell.column.id === 'name' && renaming === row.id ? (
                  <Rename record={record} onDone={() => setRenaming(null)} />
                ) : (
                  <table.FlexRender cell={cell} />
                )}
              </td>
            ))}
            <td role="cell">
              <div className="run-actions">
                <RunActions
                  record={record}
                  status={status}
                  onRename={() => setRenaming(row.id)}
                  onDelete={() => onDelete([record.run])}
                />
              </div>
            </td>
          </tr>
        );
      })}
    </tbody>
  );
}

/** The name of a run as a field; Enter or leaving it renames the run. */
export function Rename({ record, onDone }: { record: RunRecord; onDone: () => void }) {
  const client = useClient();
  const [name, setName] = useState(record.name);
  const commit = (): void => {
    if (name.trim() && name !== record.name) client.library.rename(record.run, name.trim());
    onDone();
  };
  return (
    <TextInput
      size="xs"
      aria-label="New name"
      value={name}
      maxLength={80}
      data-autofocus
      autoFocus
      onChange={(event) => setName(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Enter') commit();
        if (event.key === 'Escape') {
          // The dialog would close as well.
          event.stopPropagation();
          onDone();
        }
      }}
    />
  );
}
