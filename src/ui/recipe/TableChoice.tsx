/** How a table is read: the question where there are several ways, and the column of the text. */
import {
  count,
  readTextAs,
  WHOLE_ROWS,
  type TableFacts,
  type TableFormat,
  type TableReading,
} from '../../store/index.ts';
import { useClient } from '../context.tsx';

const FORMAT_NAMES: Record<TableFormat, string> = {
  comma: 'Commas separate columns',
  semicolon: 'Semicolons separate columns',
  tab: 'Tabs separate columns; quotation marks are text',
  tab_quoted: 'Tabs separate columns; quotation marks enclose text',
  lines: 'Each line is one text',
};

export function TableChoice({ table }: { table: TableFacts }) {
  return (
    <>
      {table.readings.length > 1 ? <ReadingChoice table={table} /> : null}
      <ColumnChoice table={table} />
    </>
  );
}

function ReadingChoice({ table }: { table: TableFacts }) {
  return (
    <fieldset className="readings" data-testid="readings">
      <legend>This file can be read in {table.readings.length} ways. Which one is right?</legend>
      {table.readings.map((reading) => (
        <ReadingOption
          key={reading.format}
          reading={reading}
          checked={reading.format === table.format}
        />
      ))}
    </fieldset>
  );
}

function ReadingOption({ reading, checked }: { reading: TableReading; checked: boolean }) {
  const client = useClient();
  const { format, rows, columns, preview } = reading;
  const size = `${count(rows)} texts, ${count(columns.length)} ${columns.length === 1 ? 'column' : 'columns'}`;
  return (
    <label data-on={checked || undefined}>
      <input
        type="radio"
        name="reading"
        checked={checked}
        onChange={() => readTextAs(client.stores.form, { format })}
      />
      <span>
        <b>{FORMAT_NAMES[format]}</b> <span className="muted">{size}</span>
        <span className="reading-preview">{preview}</span>
      </span>
    </label>
  );
}

function ColumnChoice({ table: { columns, column } }: { table: TableFacts }) {
  const client = useClient();
  return (
    <label className="column">
      Text in{' '}
      <select
        className="native-select"
        value={column}
        onChange={(event) => readTextAs(client.stores.form, { column: event.currentTarget.value })}
      >
        {columns.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
        <option value={WHOLE_ROWS}>Whole rows</option>
      </select>
    </label>
  );
}
