/** The form's key of text and tokenizer, and texts that are typed. */
import { expect, it } from 'vitest';
import { createForm, dataKey, readTextAs, setText, setTokenizerJson, typedText } from './form.ts';

it('tells texts and tokenizers of one name and size apart, and equal ones not', () => {
  const form = createForm();
  const key = (): string => dataKey(form.getState().config, form.getState());
  const open = (content: string): string => {
    setText(form, { name: 'a.txt', bytes: new TextEncoder().encode(content) });
    return key();
  };
  const first = open('one two three');
  expect(open('one two tHree')).not.toBe(first);
  expect(open('one two threE')).not.toBe(first);
  expect(open('one two three')).toBe(first);
  setTokenizerJson(form, 'tokenizer.json', '{"a":1}');
  const tokenizer = key();
  setTokenizerJson(form, 'tokenizer.json', '{"a":2}');
  expect(key()).not.toBe(tokenizer);
  readTextAs(form, { keep_repeats: true });
  expect(key()).not.toBe(tokenizer);
});

it('counts broken characters of a typed text, and forgets the column of another format', () => {
  const typed = typedText('Pasted text', 'half \ud83d, whole 😀');
  expect(typed.replaced).toBe(1);
  expect(new TextDecoder().decode(typed.bytes)).toBe('half \ufffd, whole 😀');
  expect(typedText('Pasted text', 'fine')).not.toHaveProperty('replaced');
  const form = createForm();
  setText(form, { ...typed, column: 'text' });
  readTextAs(form, { format: 'lines' });
  expect(form.getState().text).toMatchObject({ format: 'lines', replaced: 1 });
  expect(form.getState().text).not.toHaveProperty('column');
});
