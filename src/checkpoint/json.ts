/**
 * JSON from a stranger. JSON.parse lets the last of two equal keys win and makes an own property of
 * `__proto__`; both hide something from whoever reads the file with another reader, so both are
 * refused here.
 */
import { CheckpointError, damaged, shorten } from './error.ts';

/** Largest JSON file that is read at all: a sharded index or a training state has kilobytes. */
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
      `${shorten(file)} has ${bytes.length} bytes, and at most ${max} are read.`,
      'Check that this is the right file: its content is not what its name says.',
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

/** As parseJson, for a file whose top level must be an object. */
export function parseRecord(bytes: Uint8Array, file: string, max = MAX_JSON): JsonRecord {
  const value = parseJson(bytes, file, max);
  if (!isRecord(value)) throw damaged('bad_json', file, 'it does not hold a JSON object');
  return value;
}

/** Walks over text that is known to be valid JSON and looks at the keys alone. */
function checkKeys(text: string, file: string): void {
  const open: (Set<string> | null)[] = [];
  let key = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{' || c === '[') {
      open.push(c === '{' ? new Set() : null);
      key = c === '{';
      if (open.length > MAX_DEPTH)
        throw damaged('bad_json', file, `it is nested more than ${MAX_DEPTH} deep`);
    } else if (c === '}' || c === ']') {
      open.pop();
      key = false;
    } else if (c === ',') {
      key = open.at(-1) !== null;
    } else if (c === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      if (key) addKey(open.at(-1), text.slice(start, i + 1), file);
      key = false;
    }
  }
}

function addKey(keys: Set<string> | null | undefined, quoted: string, file: string): void {
  const name = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  if (name === '__proto__') {
    throw new CheckpointError(
      'forbidden_name',
      `${shorten(file)} uses the name __proto__, which no honest checkpoint does.`,
      'Do not use this file; get it from its author again.',
    );
  }
  if (keys?.has(name))
    throw damaged('duplicate_name', file, `the name ${shorten(name)} stands in it twice`);
  keys?.add(name);
}

/** UTF-8 bytes of a JSON value, indented as Hugging Face indents its files. */
export const encodeJson = (value: unknown): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
