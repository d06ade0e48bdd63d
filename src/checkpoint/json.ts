/**
 * JSON from untrusted files. `JSON.parse` silently keeps the last of two equal keys and accepts
 * `__proto__` as a key. Another reader may resolve both differently, so this one refuses them.
 */
import { CheckpointError, damaged, shorten } from './error.ts';

/** Largest JSON file that is read, in bytes. Shard indices and training states take kilobytes. */
const MAX_JSON = 16 * 2 ** 20;
const MAX_DEPTH = 64;

export type JsonRecord = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses UTF-8 JSON. Throws `bad_json`, `too_large`, `duplicate_name` or `forbidden_name`. */
export function parseJson(bytes: Uint8Array, file: string, max = MAX_JSON): unknown {
  if (bytes.length > max) {
    throw new CheckpointError(
      'too_large',
      `${shorten(file)} has ${bytes.length} bytes, but the limit is ${max}.`,
      'Check that this is the right file; its content does not match its name.',
    );
  }
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged('bad_json', file, 'it is not valid JSON', cause);
  }
  checkKeys(text, file);
  return value;
}

/** Like `parseJson`, for a file whose top level must be an object. */
export function parseRecord(bytes: Uint8Array, file: string, max = MAX_JSON): JsonRecord {
  const value = parseJson(bytes, file, max);
  if (!isRecord(value)) throw damaged('bad_json', file, 'it does not contain a JSON object');
  return value;
}

/** Scans the keys of `text`, which must be valid JSON. */
function checkKeys(text: string, file: string): void {
  /** Keys of each open object; null for an open array. */
  const open: (Set<string> | null)[] = [];
  let expectsKey = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : null);
      expectsKey = character === '{';
      if (open.length > MAX_DEPTH) {
        throw damaged('bad_json', file, `it is nested more than ${MAX_DEPTH} levels deep`);
      }
    } else if (character === '}' || character === ']') {
      open.pop();
      expectsKey = false;
    } else if (character === ',') {
      expectsKey = open.at(-1) !== null;
    } else if (character === '"') {
      const end = stringEnd(text, i);
      if (expectsKey) addKey(open.at(-1), text.slice(i, end + 1), file);
      expectsKey = false;
      i = end;
    }
  }
}

/** Index of the quote that ends the string starting at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}

function addKey(keys: Set<string> | null | undefined, quoted: string, file: string): void {
  const name = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  if (name === '__proto__') {
    throw new CheckpointError(
      'forbidden_name',
      `${shorten(file)} uses the name __proto__, which no legitimate checkpoint does.`,
      'Do not use this file. Get it from its author again.',
    );
  }
  if (keys?.has(name)) {
    throw damaged('duplicate_name', file, `the name ${shorten(name)} appears twice in it`);
  }
  keys?.add(name);
}

/** UTF-8 bytes of a JSON value, indented the way Hugging Face indents its files. */
export const encodeJson = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
