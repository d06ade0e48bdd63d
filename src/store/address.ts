/** The one request that leaves the page: a text at an address that the user typed. */
import type { OwnText } from '../protocol/index.ts';

/** Larger texts would not fit beside a model; said before they are read to the end. */
const MAX_FETCHED_BYTES = 200_000_000;

/**
 * Fetches a text. Its name has the ending of what the server says it is, if that is a table.
 *
 * @throws Error whose message is one plain sentence.
 */
export async function fetchText(address: string): Promise<OwnText> {
  const url = parseAddress(address);
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch (cause) {
    throw new Error(
      `${url.host} did not respond, or does not allow other sites to read it (CORS).`,
      { cause },
    );
  }
  if (!response.ok) throw new Error(`${url.host} responded with status ${response.status}.`);
  const type = mediaType(response);
  if (!isText(type)) throw new Error(`${url.host} answered with ${type}, which is no text.`);
  if (Number(response.headers.get('content-length') ?? 0) > MAX_FETCHED_BYTES) throw tooLarge();
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(response);
  } catch (error) {
    if (error instanceof TooLarge) throw error;
    throw new Error(`The connection to ${url.host} ended before the whole text had arrived.`, {
      cause: error,
    });
  }
  return { name: withEnding(fileName(url), type), bytes };
}

/** The last part of the path; percent signs that do not encode UTF-8 stay as they are. */
function fileName(url: URL): string {
  const last = url.pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) || url.host;
  } catch {
    return last;
  }
}

/** Endings by media type, of files that are not plain text. */
const ENDINGS: Readonly<Record<string, string>> = {
  'text/csv': '.csv',
  'text/tab-separated-values': '.tsv',
  'application/jsonl': '.jsonl',
  'application/x-ndjson': '.jsonl',
  'application/x-jsonlines': '.jsonl',
};

/** A name that already has the ending of a table or a text keeps it. */
function withEnding(name: string, type: string): string {
  if (/\.(csv|tsv|jsonl|ndjson|txt|md)$/iu.test(name)) return name;
  return name + (ENDINGS[type] ?? '');
}

/** Such as "text/csv"; '' if the server does not say. */
const mediaType = (response: Response): string =>
  (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

/** Servers often send text as octets. Pictures, sounds and web pages are not meant as training text. */
function isText(type: string): boolean {
  if (type === 'text/html' || type === 'application/xhtml+xml') return false;
  return !/^(image|audio|video|font)\//u.test(type) && !/^application\/(pdf|zip|gzip)$/u.test(type);
}

/** Hosts of this device. The policy of the page allows the same (connect-src in index.html). */
const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1'];

function parseAddress(address: string): URL {
  let url: URL;
  try {
    url = new URL(address.trim());
  } catch {
    throw new Error('This is not a valid URL.');
  }
  const local = url.protocol === 'http:' && LOCAL_HOSTS.includes(url.hostname);
  if (url.protocol !== 'https:' && !local)
    throw new Error('Only https URLs, and http URLs on localhost or 127.0.0.1, can be fetched.');
  return url;
}

async function readBounded(response: Response): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(await response.arrayBuffer());
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    size += chunk.value.byteLength;
    if (size > MAX_FETCHED_BYTES) {
      await reader.cancel();
      throw tooLarge();
    }
    parts.push(chunk.value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

class TooLarge extends Error {}

const tooLarge = (): Error =>
  new TooLarge(`The text is larger than ${MAX_FETCHED_BYTES / 1e6} MB.`);
