/** Imports a tokenizer.json, and shows any text as tokens with their ids. */
import { Button, Textarea } from '@mantine/core';
import { IconFileCode } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { count, type DataSummary, type TokenizedText } from '../../store/index.ts';
import { useClient, useForm } from '../context.tsx';
import { openTokenizer } from '../transfer.ts';
import { quoted } from '../samples/TokenText.tsx';
import { useDataSummary } from './useSettledRun.ts';
import '../styles/tokenizer.css';

export function TokenizerPanel() {
  const isImported = useForm((state) => state.config.tokenizer.kind === 'imported');
  return (
    <>
      {isImported ? <TokenizerPicker /> : null}
      <TokenizerPreview />
    </>
  );
}

/** Opens the tokenizer.json of a recipe that imports one. */
export function TokenizerPicker() {
  const client = useClient();
  const fileName = useForm((state) => state.tokenizerJson?.name);
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button
        size="xs"
        variant="default"
        fullWidth
        leftSection={<IconFileCode size={15} />}
        onClick={() => picker.current?.click()}
      >
        {fileName ?? 'Open a tokenizer.json'}
      </Button>
      <input
        ref={picker}
        type="file"
        hidden
        accept=".json,application/json"
        aria-label="Open a tokenizer.json"
        data-testid="tokenizer-input"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          // Otherwise selecting the same file again would not fire an event.
          event.currentTarget.value = '';
          if (file) void openTokenizer(client, file);
        }}
      />
    </>
  );
}

function TokenizerPreview() {
  const data = useDataSummary();
  const ready = data !== null;
  const prepared = useForm((state) => state.preparedKey);
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? exampleOf(data);
  const { tokenized, error } = useTokenized(text, ready ? prepared : null);
  return (
    <div className="pieces">
      <Textarea
        size="xs"
        label="Try it"
        autosize
        minRows={2}
        maxRows={5}
        maxLength={4000}
        value={text}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      {ready ? null : <p className="small muted">Available once the text is loaded.</p>}
      {error ? <p className="field-problem">{error}</p> : null}
      {ready && tokenized ? <TokenList tokenized={tokenized} /> : null}
    </div>
  );
}

/** Characters of the example. */
const EXAMPLE_LENGTH = 40;

/** The beginning of the text, which every tokenizer of it can encode. */
const exampleOf = (data: DataSummary | null): string =>
  [...(data?.sample ?? '')].slice(0, EXAMPLE_LENGTH).join('').trim();

/** Time without typing before the text is sent to the worker. */
const IDLE_MS = 200;

interface Tokenization {
  tokenized: TokenizedText | null;
  /** Why the current text could not be tokenized, or ''. */
  error: string;
}

/** `prepared`: the key of the text whose tokenizer is used; null until there is one. */
function useTokenized(text: string, prepared: string | null): Tokenization {
  const client = useClient();
  const [tokenized, setTokenized] = useState<TokenizedText | null>(null);
  const [error, setError] = useState('');
  useEffect(() => {
    if (prepared === null) return undefined;
    let current = true;
    const tokenize = async (): Promise<void> => {
      try {
        const result = await client.tokenize(text);
        if (!current) return;
        setTokenized(result);
        setError('');
      } catch (failure) {
        if (!current) return;
        setTokenized(null);
        setError(failure instanceof Error ? failure.message : 'This text cannot be tokenized.');
      }
    };
    const timer = setTimeout(() => void tokenize(), IDLE_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [client, text, prepared]);
  return { tokenized, error };
}

/** Tokens shown at most. */
const MAX_TOKENS = 400;

function TokenList({ tokenized }: { tokenized: TokenizedText }) {
  return (
    <>
      <p className="small muted" aria-live="polite">
        {count(tokenized.pieces.length)} tokens for {count([...tokenized.text].length)} characters
      </p>
      <ol
        className="piece-list"
        data-testid="token-pieces"
        tabIndex={0}
        aria-label="Tokens with their ids"
      >
        {tokenized.pieces.slice(0, MAX_TOKENS).map((piece, index) => (
          <li key={index} data-hue={piece.id % 6}>
            <span>{quoted(piece.text)}</span>
            <small>{piece.id}</small>
          </li>
        ))}
      </ol>
    </>
  );
}
