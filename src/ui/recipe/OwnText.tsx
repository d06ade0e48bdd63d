/** The user's own text: opened from a file, pasted, or fetched from a URL. */
import { Button, TextInput, Textarea } from '@mantine/core';
import { IconFileText, IconLink } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { bytes, fetchText, setText } from '../../store/index.ts';
import { useClient, useForm } from '../context.tsx';
import { openTextFile } from '../transfer.ts';

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
          // Otherwise selecting the same file again would not fire an event.
          event.currentTarget.value = '';
          if (file) void openTextFile(client, file);
        }}
      />
    </>
  );
}

function PastedText() {
  const { form } = useClient().stores;
  const [pasted, setPasted] = useState('');
  const applyText = (): void => {
    setText(form, { name: 'Pasted text', bytes: new TextEncoder().encode(pasted) });
    setPasted('');
  };
  return (
    <>
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
        <Button size="xs" mt={6} variant="light" onClick={applyText}>
          Use this text
        </Button>
      ) : null}
    </>
  );
}

function TextUrl() {
  const client = useClient();
  const [url, setUrl] = useState('');
  const [fetching, setFetching] = useState(false);
  const load = async (): Promise<void> => {
    setFetching(true);
    try {
      setText(client.stores.form, await fetchText(url));
    } catch (error) {
      client.fail({
        code: 'text_unreachable',
        message: error instanceof Error ? error.message : 'The URL could not be fetched.',
        hint: 'Check the URL, or save the text and open it as a file.',
        field: 'data.corpus',
      });
    } finally {
      setFetching(false);
    }
  };
  return (
    <form
      className="own-url"
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
        placeholder="Or a URL: https://… or http://localhost"
        value={url}
        onChange={(event) => setUrl(event.currentTarget.value)}
      />
      <Button
        size="xs"
        type="submit"
        variant="default"
        loading={fetching}
        disabled={!url.trim()}
        leftSection={<IconLink size={14} />}
      >
        Fetch
      </Button>
    </form>
  );
}
