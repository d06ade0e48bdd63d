/**
 * The text: a built-in one, pasted, dropped or opened, or from an address; and what the worker
 * found in it.
 */
import { Button, TextInput, Textarea } from '@mantine/core';
import { IconFileText, IconLink } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { CORPORA, labelOf, type CorpusName } from '../../config/index.ts';
import {
  bytes,
  count,
  fetchText,
  isActive,
  percent,
  setField,
  setText,
  type DataSummary,
} from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { takeTextFile } from '../transfer.ts';
import { usePlan } from './problems.ts';
import { usePrepare } from './usePrepare.ts';

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
  const options = labelOf('data.corpus').options ?? {};
  usePrepare();
  return (
    <div className="data-panel">
      <fieldset className="corpora" id="field-data.corpus" tabIndex={-1}>
        <legend className="sr-only">Text to learn from</legend>
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
            <span>{options[name]}</span>
          </label>
        ))}
      </fieldset>
      {corpus === 'own' ? <OwnText /> : null}
      <Found />
    </div>
  );
}

function OwnText() {
  const client = useClient();
  const { form } = client.stores;
  const text = useForm((state) => state.text);
  const picker = useRef<HTMLInputElement>(null);
  const [pasted, setPasted] = useState('');
  const [address, setAddress] = useState('');
  const [busy, setBusy] = useState(false);

  const fetchIt = async (): Promise<void> => {
    setBusy(true);
    try {
      setText(form, await fetchText(address));
    } catch (error) {
      client.fail({
        code: 'text_unreachable',
        message: error instanceof Error ? error.message : 'The address could not be read.',
        hint: 'Check the address, or save the text and open it as a file.',
        field: 'data.corpus',
      });
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="own-text">
      {text ? (
        <p className="own-have">
          <IconFileText size={16} aria-hidden /> <b>{text.name}</b>{' '}
          <span className="muted">{bytes(text.bytes.byteLength)}</span>
        </p>
      ) : null}
      <Button
        size="xs"
        variant="default"
        fullWidth
        leftSection={<IconFileText size={15} />}
        onClick={() => picker.current?.click()}
      >
        Open .txt .md .jsonl .csv, or drop it anywhere
      </Button>
      <input
        ref={picker}
        type="file"
        hidden
        accept=".txt,.md,.jsonl,.csv,text/*"
        aria-label="Open a text"
        data-testid="text-input"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = '';
          if (file) void takeTextFile(client, file);
        }}
      />
      <Textarea
        aria-label="Paste a text"
        placeholder="Or paste a text here"
        autosize
        minRows={2}
        maxRows={6}
        size="xs"
        mt={8}
        value={pasted}
        onChange={(event) => setPasted(event.currentTarget.value)}
      />
      {pasted.trim() ? (
        <Button
          size="xs"
          mt={6}
          variant="light"
          onClick={() => {
            setText(form, { name: 'Pasted text', bytes: new TextEncoder().encode(pasted) });
            setPasted('');
          }}
        >
          Use this text
        </Button>
      ) : null}
      <form
        className="own-address"
        onSubmit={(event) => {
          event.preventDefault();
          void fetchIt();
        }}
      >
        <TextInput
          size="xs"
          className="grow"
          type="url"
          aria-label="Address of a text"
          placeholder="Or an address: https://… or http://localhost"
          value={address}
          onChange={(event) => setAddress(event.currentTarget.value)}
        />
        <Button
          size="xs"
          type="submit"
          variant="default"
          loading={busy}
          disabled={!address.trim()}
          leftSection={<IconLink size={14} />}
        >
          Get
        </Button>
      </form>
    </div>
  );
}

/** What the worker read: size, split, a sample; or what it is doing. */
function Found() {
  const client = useClient();
  const { data } = usePlan();
  const phase = useRun((state) => state.phase);
  const detail = useRun((state) => state.detail);
  const progress = useRun((state) => state.progress);
  const run = useRun((state) => state.run);
  if (phase === 'preparing' && run === null) {
    return (
      <div className="found">
        <p>
          {detail || 'Reading the text'}
          {progress === null ? '…' : ` (${percent(progress)})`}
        </p>
        <Button size="compact-xs" variant="default" onClick={() => client.cancel()}>
          Cancel
        </Button>
      </div>
    );
  }
  if (data) return <Summary data={data} />;
  return isActive(phase) ? (
    <p className="small muted found">This text is read when the present run has ended.</p>
  ) : (
    <div className="found">
      <Button size="compact-sm" variant="light" onClick={() => client.prepare()}>
        Read this text
      </Button>
    </div>
  );
}

function Summary({ data }: { data: DataSummary }) {
  const client = useClient();
  const column = useForm((state) => state.text?.column);
  const rows: [string, string][] = [
    ['Size', `${bytes(data.bytes)}, ${count(data.characters)} characters`],
    [
      'Documents',
      `${count(data.documents)}${data.duplicates_removed > 0 ? `, ${count(data.duplicates_removed)} duplicates removed` : ''}`,
    ],
    ['Tokens', `${count(data.train_tokens)} train, ${count(data.val_tokens)} validation`],
    ['Vocabulary', `${count(data.vocab_size)} (${data.tokenizer_kind})`],
  ];
  return (
    <div className="found" data-testid="data-summary">
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {data.columns.length > 1 ? (
        <label className="column">
          Column{' '}
          <select
            className="native-select"
            value={column ?? data.columns[0]}
            onChange={(event) => {
              const { form } = client.stores;
              const { text } = form.getState();
              if (text) {
                setText(form, { ...text, column: event.currentTarget.value });
                client.prepare();
              }
            }}
          >
            {data.columns.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      ) : null}
      <pre className="data-sample" tabIndex={0} aria-label="Beginning of the text">
        {data.sample}
      </pre>
      <p className="small muted">{data.source}</p>
    </div>
  );
}
