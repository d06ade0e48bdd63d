/** A text that is typed or pasted. It is read as it comes, without a button. */
import { Textarea } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { setText, typedText } from '../../store/index.ts';
import { useClient } from '../context.tsx';

export const PASTED = 'Pasted text';

/** Time without typing before the text is read. */
const IDLE_MS = 400;
/** A longer text is not put back into the field when the panel is opened again. */
const MAX_SHOWN_BYTES = 200_000;

export function PastedText() {
  const client = useClient();
  const [pasted, setPasted] = useState(() => shownAtFirst(client.stores.form.getState().text));
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef<string | null>(null);

  const apply = (): void => {
    clearTimeout(waiting.current);
    const text = latest.current;
    latest.current = null;
    if (text === null || text.trim() === '') return;
    setText(client.stores.form, typedText(PASTED, text));
  };
  const change = (text: string): void => {
    setPasted(text);
    latest.current = text;
    clearTimeout(waiting.current);
    waiting.current = setTimeout(apply, IDLE_MS);
  };
  // What was typed last is read even if the panel closes first.
  const applyAtEnd = useRef(apply);
  useEffect(() => {
    applyAtEnd.current = apply;
  });
  useEffect(() => () => applyAtEnd.current(), []);
  // A file that is opened takes the place of what was pasted.
  useEffect(
    () =>
      client.stores.form.subscribe(({ text }, before) => {
        if (text !== before.text && text?.name !== PASTED) setPasted('');
      }),
    [client],
  );
  return (
    <Textarea
      aria-label="Paste a text"
      placeholder="Or paste or type a text here"
      autosize
      minRows={2}
      maxRows={6}
      size="xs"
      mt={8}
      value={pasted}
      onChange={(event) => change(event.currentTarget.value)}
      onBlur={apply}
    />
  );
}

function shownAtFirst(text: { name: string; bytes: Uint8Array } | null): string {
  if (text?.name !== PASTED || text.bytes.length > MAX_SHOWN_BYTES) return '';
  return new TextDecoder().decode(text.bytes);
}
