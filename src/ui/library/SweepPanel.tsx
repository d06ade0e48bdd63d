/** A sweep: a field, its values, and how far its runs are. */
import { Button, NativeSelect, TextInput } from '@mantine/core';
import { IconPlayerPlayFilled, IconPlayerStopFilled } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useStore } from 'zustand';
import {
  fieldPaths,
  getField,
  isFieldPath,
  rangeOf,
  withField,
  type FieldPath,
} from '../../config/index.ts';
import {
  count,
  defaultName,
  fieldTitle,
  isActive,
  rangeValues,
  readValues,
  valueText,
  type FormState,
  type ReadValues,
  type SweepMember,
} from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { Segmented } from '../Segmented.tsx';
import { CompareChart } from './CompareChart.tsx';
import { useComparedRuns } from './CompareRuns.tsx';

export function SweepPanel() {
  const client = useClient();
  const { members, running, ended } = useStore(client.stores.sweep);
  return (
    <>
      <p className="small muted sweep-lead">
        Trains the current recipe once for each value of one field, one run after the other. Each is
        saved like any other run.
      </p>
      {running ? null : <SweepForm />}
      {members.length > 0 ? <SweepProgress members={members} running={running} /> : null}
      {ended ? (
        <p className="small" role="status">
          {ended}
        </p>
      ) : null}
    </>
  );
}

type Mode = 'list' | 'linear' | 'log';

const MODES = [
  { value: 'list', label: 'List' },
  { value: 'linear', label: 'Linear range' },
  { value: 'log', label: 'Logarithmic range' },
] as const;

/** Fields that a sweep can change: not the text, and not where the run is computed. */
const isSwept = (path: FieldPath): boolean =>
  rangeOf(path).kind !== 'texts' && !/^(runtime\.|data\.corpus$|tokenizer\.kind$)/u.test(path);

function SweepForm() {
  const client = useClient();
  const form = useForm((state) => state);
  const { config } = form;
  const busy = useRun((state) => isActive(state.phase));
  const [path, setPath] = useState<FieldPath>('training.learning_rate');
  const [mode, setMode] = useState<Mode>('list');
  const [text, setText] = useState('');
  const [range, setRange] = useState({ from: '', to: '', count: '3' });
  const isNumber = rangeOf(path).kind === 'number';
  const read = useValues({ path, mode: isNumber ? mode : 'list', text, range });
  const values = 'values' in read ? read.values : [];
  return (
    <form
      className="sweep-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (values.length === 0) return;
        client.sweep.start({ config, name: baseName(form, path), path, values });
      }}
    >
      <NativeSelect
        size="xs"
        label="Field"
        data={FIELD_OPTIONS}
        value={path}
        onChange={({ currentTarget: { value } }) => {
          if (isFieldPath(value)) setPath(value);
        }}
      />
      {isNumber ? (
        <Segmented label="Values" options={MODES} value={mode} onChange={setMode} />
      ) : null}
      {isNumber && mode !== 'list' ? (
        <RangeInputs range={range} onChange={setRange} />
      ) : (
        <TextInput
          size="xs"
          label="Values, separated by commas"
          placeholder={placeholderOf(path, String(getField(config, path)))}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      )}
      <p className="small muted sweep-values" role="status">
        {describe(path, read, mode === 'list' || !isNumber ? text !== '' : range.to !== '')}
      </p>
      <Button
        type="submit"
        size="xs"
        leftSection={<IconPlayerPlayFilled size={13} />}
        disabled={busy || values.length === 0}
      >
        {values.length > 0 ? `Train ${values.length} runs` : 'Train the runs'}
      </Button>
      {busy ? (
        <p className="small muted">Pause and close, or finish, the current run first.</p>
      ) : null}
    </form>
  );
}

/** The name of the recipe without the field, whose value is added to it. */
const baseName = (form: FormState, path: FieldPath): string =>
  form.name.trim() ||
  defaultName({ ...form, config: withField(form.config, path, getField(form.base, path)) });

const FIELD_OPTIONS = fieldPaths()
  .filter(isSwept)
  .map((path) => ({ value: path, label: `${fieldTitle(path)} (${path})` }));

function placeholderOf(path: FieldPath, own: string): string {
  const range = rangeOf(path);
  return range.kind === 'choice' ? range.options.slice(0, 3).join(', ') : `the recipe has ${own}`;
}

/** What will be trained; a problem only once something was typed. */
function describe(path: FieldPath, read: ReadValues, touched: boolean): string {
  if ('values' in read) return read.values.map((value) => valueText(path, value)).join(' · ');
  return touched ? read.problem : '2 to 8 values.';
}

interface RangeText {
  from: string;
  to: string;
  count: string;
}

function RangeInputs({
  range,
  onChange,
}: {
  range: RangeText;
  onChange: (range: RangeText) => void;
}) {
  return (
    <div className="sweep-range">
      {(['from', 'to', 'count'] as const).map((key) => (
        <TextInput
          key={key}
          size="xs"
          w={90}
          label={{ from: 'From', to: 'To', count: 'Values' }[key]}
          inputMode="decimal"
          value={range[key]}
          onChange={(event) => onChange({ ...range, [key]: event.currentTarget.value })}
        />
      ))}
    </div>
  );
}

interface ValuesText {
  path: FieldPath;
  mode: Mode;
  text: string;
  range: RangeText;
}

function useValues({ path, mode, text, range }: ValuesText): ReadValues {
  return useMemo(() => {
    if (mode === 'list') return readValues(path, text);
    const [from, to, size] = [range.from, range.to, range.count].map(Number);
    const isComplete = range.from.trim() !== '' && range.to.trim() !== '';
    if (!isComplete || !Number.isFinite(from) || !Number.isFinite(to) || !Number.isInteger(size))
      return { problem: 'Give both ends and a number of values, written with a decimal point.' };
    return rangeValues(path, { from: from ?? 0, to: to ?? 0, count: size ?? 0, scale: mode });
  }, [path, mode, text, range]);
}

const STATUS: Record<SweepMember['status'], string> = {
  waiting: 'Waiting',
  training: 'Training',
  done: 'Done',
  failed: 'Failed',
  stopped: 'Stopped',
};

interface ProgressProps {
  members: readonly SweepMember[];
  running: boolean;
}

function SweepProgress({ members, running }: ProgressProps) {
  const client = useClient();
  const over = members.filter(({ status }) => status !== 'waiting' && status !== 'training').length;
  return (
    <section aria-label="Runs of the sweep">
      <div className="storage-row">
        <p role="status" data-testid="sweep-progress">
          {over} of {members.length} runs are over.
        </p>
        {running ? (
          <Button
            size="xs"
            variant="light"
            leftSection={<IconPlayerStopFilled size={13} />}
            onClick={() => client.sweep.cancel()}
          >
            Cancel the sweep
          </Button>
        ) : null}
      </div>
      <ul className="sweep-members" data-testid="sweep-members">
        {members.map((member) => (
          <li key={member.name} data-status={member.status}>
            <b>{member.name}</b> <MemberStatus member={member} />
          </li>
        ))}
      </ul>
      <SweepChart members={members} />
    </section>
  );
}

function MemberStatus({ member: { status, problem } }: { member: SweepMember }) {
  const step = useRun((state) => state.step);
  if (status === 'training') return <span className="muted">Training, step {count(step)}</span>;
  return (
    <span className="muted">
      {STATUS[status]}
      {problem ? `: ${problem}` : ''}
    </span>
  );
}

function SweepChart({ members }: { members: readonly SweepMember[] }) {
  const drawn = members.filter(({ run, status }) => run !== null && status !== 'failed');
  const names = new Map(drawn.map(({ run, name }) => [run ?? '', name]));
  const runs = useComparedRuns([...names.keys()], names);
  return runs.length > 0 ? <CompareChart runs={runs} /> : null;
}
