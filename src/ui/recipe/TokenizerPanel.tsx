/** Any text as the tokens that the model will see, with their ids. */
import { Button, Textarea } from '@mantine/core';
import { IconFileCode } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { count, type TokenizedText } from '../../store/index.ts';
import { useClient, useForm } from '../context.tsx';
import { takeTokenizer } from '../transfer.ts';
import { quoted } from '../samples/TokenText.tsx';
import { usePlan } from './problems.ts';

const SHOWN = 400;

export function TokenizerPanel() {
  const client = useClient();
  const kind = useForm((state) => state.config.tokenizer.kind);
  const imported = useForm((state) => state.tokenizerJson?.name);
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      {kind === 'imported' ? (
        <>
          <Button
            size="xs"
            variant="default"
            fullWidth
            leftSection={<IconFileCode size={15} />}
            onClick={() => picker.current?.click()}
          >
            {imported ?? 'Open a tokenizer.json'}
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
              event.currentTarget.value = '';
              if (file) void takeTokenizer(client, file);
            }}
          />
        </>
      ) : null}
      <Pieces />
    </>
  );
}

function Pieces() {
  const client = useClient();
  const { data } = usePlan();
  const [text, setText] = useState('Call me Ishmael. Some years ago');
  const [result, setResult] = useState<TokenizedText | null>(null);
  const [refusal, setRefusal] = useState('');
  const ready = data !== null;
  useEffect(() => {
    if (!ready) return undefined;
    let current = true;
    const timer = setTimeout(() => {
      client.tokenize(text).then(
        (next) => {
          if (current) {
            setResult(next);
            setRefusal('');
          }
        },
        (error: unknown) => {
          if (current)
            setRefusal(error instanceof Error ? error.message : 'This text could not be split.');
        },
      );
    }, 200);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [client, text, ready]);
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
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {!ready ? (
        <p className="small muted">The tokenizer is there once the text has been read.</p>
      ) : null}
      {refusal ? <p className="field-problem">{refusal}</p> : null}
      {ready && result ? (
        <>
          <p className="small muted" aria-live="polite">
            {count(result.pieces.length)} tokens for {count([...result.text].length)} characters
          </p>
          <ol
            className="piece-list"
            data-testid="token-pieces"
            tabIndex={0}
            aria-label="Tokens with their ids"
          >
            {result.pieces.slice(0, SHOWN).map((piece, index) => (
              <li key={index} data-hue={piece.id % 6}>
                <span>{quoted(piece.text)}</span>
                <small>{piece.id}</small>
              </li>
            ))}
          </ol>
        </>
      ) : null}
    </div>
  );
}
