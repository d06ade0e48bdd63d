/** Selects the training text and shows what the worker found in it. */
import { Button } from '@mantine/core';
import { CORPORA, labelOf, type CorpusName } from '../../config/index.ts';
import { bytes, count, isActive, percent, setField, type DataSummary } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { OwnText } from './OwnText.tsx';
import { TableChoice } from './TableChoice.tsx';
import { useDataSummary } from './useSettledRun.ts';
import { valueText } from './value_text.ts';
import '../styles/data.css';

const TITLES: Record<CorpusName, string> = {
  names: 'Names',
  moby_dick: 'Moby Dick',
  kjv: 'Verses (KJV)',
  sotu: 'Speeches',
  tiny_tales: 'Tiny tales',
  arithmetic: 'Arithmetic',
  own: 'Your own',
};

export function DataPanel() {
  const { form } = useClient().stores;
  const corpus = useForm((state) => state.config.data.corpus);
  const descriptions = labelOf('data.corpus').options ?? {};
  return (
    <div className="data-panel">
      <fieldset className="corpora" id="field-data.corpus" tabIndex={-1}>
        <legend className="sr-only">Training text</legend>
        {CORPORA.map((name) => (
          <label key={name} data-on={corpus === name || undefined}>
            <input
              type="radio"
              name="corpus"
              className="sr-only"
              checked={corpus === name}
              onChange={() => setField(form, 'data.corpus', name)}
            />
            <b>{TITLES[name]}</b>
            <span>{descriptions[name]}</span>
          </label>
        ))}
      </fieldset>
      {corpus === 'own' ? <OwnText /> : null}
      <TextStatus />
    </div>
  );
}

/** The summary of the selected text, or the state of loading it. */
function TextStatus() {
  const client = useClient();
  const data = useDataSummary();
  const phase = useRun((state) => state.phase);
  const run = useRun((state) => state.run);
  const isReading = useRun((state) => state.readingText !== null);
  if (isReading || (phase === 'preparing' && run === null)) return <Loading />;
  if (data) return <Summary data={data} />;
  if (isActive(phase))
    return (
      <p className="small muted text-status">This text will load when the current run ends.</p>
    );
  return (
    <div className="text-status">
      <Button size="compact-sm" variant="light" onClick={() => client.prepare()}>
        Load this text
      </Button>
    </div>
  );
}

function Loading() {
  const client = useClient();
  const detail = useRun((state) => (state.readingText ?? state).detail || 'Loading the text');
  const progress = useRun((state) => (state.readingText ?? state).progress);
  return (
    <div className="text-status">
      <p>
        {detail}
        {progress === null ? '…' : ` (${percent(progress)})`}
      </p>
      <Button size="compact-xs" variant="default" onClick={() => client.cancel()}>
        Cancel
      </Button>
    </div>
  );
}

function Summary({ data }: { data: DataSummary }) {
  return (
    <div className="text-status" data-testid="data-summary">
      <dl>
        {summaryRows(data).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {data.table ? <TableChoice table={data.table} /> : null}
      {data.notes.map((note) => (
        <p key={note} className="small">
          {note}
        </p>
      ))}
      <pre className="data-sample" tabIndex={0} aria-label="Beginning of the text">
        {data.sample}
      </pre>
      <p className="small muted">{data.source}</p>
    </div>
  );
}

function summaryRows(data: DataSummary): [string, string][] {
  const documents = [count(data.documents)];
  if (data.duplicates_removed > 0)
    documents.push(`${count(data.duplicates_removed)} repeats removed`);
  return [
    ['Size', `${bytes(data.bytes)}, ${count(data.characters)} characters`],
    ['Documents', documents.join(', ')],
    ['Tokens', `${count(data.train_tokens)} train, ${count(data.val_tokens)} validation`],
    [
      'Vocabulary',
      `${count(data.vocab_size)}, ${valueText('tokenizer.kind', data.tokenizer_kind)}`,
    ],
  ];
}
