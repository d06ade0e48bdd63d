/** The user's own text: opened from files, pasted, or fetched from a URL. */
import { Button, TextInput } from '@mantine/core';
import { IconFileText, IconLink } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { bytes, fetchText, readTextAs, setText } from '../../store/index.ts';
import { useClient, useForm } from '../context.tsx';
import { openFiles } from '../transfer.ts';
import { PastedText } from './PastedText.tsx';

export function OwnText() {
  const text = useForm((state) => state.text);
  return (
    <div className="own-text">
      {text ? (
        <p className="own-have">
          <IconFileText size={16} aria-hidden /> <b>{text.name}</b>{' '}
          <span className="muted">{bytes(text.bytes.byteLength)}</span>
        </p>
      ) : null}
      <FilePicker />
      <PastedText />
      <TextUrl />
      {text ? <KeepRepeats kept={text.keep_repeats ?? false} /> : null}
    </div>
  );
}

function FilePicker() {
  const client = useClient();
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button
        size="xs"
        variant="default"
        fullWidth
        leftSection={<IconFileText size={15} />}
        onClick={() => picker.current?.click()}
      >
        Open files, or drop them anywhere
      </Button>
      <input
        ref={picker}
        type="file"
        hidden
        multiple
        accept=".txt,.md,.jsonl,.ndjson,.csv,.tsv,text/*"
        aria-label="Open texts"
        data-testid="text-input"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // Otherwise selecting the same file again would not fire an event.
          event.currentTarget.value = '';
          if (files.length > 0) void openFiles(client, files);
        }}
      />
    </>
  );
}

function TextUrl() {
  const client = useClient();
  const [url, setUrl] = useState('');
  const [fetching, setFetching] = useState(false);
  const [problem, setProblem] = useState('');
  const load = async (): Promise<void> => {
    setFetching(true);
    setProblem('');
    try {
      setText(client.stores.form, await fetchText(url));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : 'The URL could not be fetched.');
    } finally {
      setFetching(false);
    }
  };
  return (
    <form
      className="own-url"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void load();
      }}
    >
      <TextInput
        size="xs"
        className="grow"
        type="url"
        aria-label="URL of a text"
        placeholder="Or a URL: https://…"
        value={url}
        error={problem || undefined}
        onChange={(event) => {
          setUrl(event.currentTarget.value);
          setProblem('');
        }}
      />
      {url.trim() ? (
        <Button
          size="xs"
          type="submit"
          variant="default"
          loading={fetching}
          leftSection={<IconLink size={14} />}
        >
          Fetch
        </Button>
      ) : null}
    </form>
  );
}

/** Repeats are removed by default, so that validation text is not in the training text too. */
function KeepRepeats({ kept }: { kept: boolean }) {
  const client = useClient();
  return (
    <label className="keep-repeats">
      <input
        type="checkbox"
        checked={kept}
        onChange={(event) =>
          readTextAs(client.stores.form, { keep_repeats: event.currentTarget.checked })
        }
      />
      <span>
        Keep repeats <span className="muted">(else each document is read once)</span>
      </span>
    </label>
  );
}
