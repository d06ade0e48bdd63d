/** The one request that leaves the page: a text at an address that the user typed. */
import type { OwnText } from '../protocol/index.ts';

/** Larger texts would not fit beside a model; said before they are read to the end. */
const MAX_FETCHED_BYTES = 200_000_000;

/** Throws an Error whose message is one plain sentence. */
export async function fetchText(address: string): Promise<OwnText> {
  const url = parseAddress(address);
  let response: Response;
  try {
    response = await fetch(url, { credentials: 'omit', referrerPolicy: 'no-referrer' });
  } catch {
    throw new Error(
      `${url.host} did not respond, or does not allow other sites to read it (CORS).`,
    );
  }
  if (!response.ok) throw new Error(`${url.host} responded with status ${response.status}.`);
  if (Number(response.headers.get('content-length') ?? 0) > MAX_FETCHED_BYTES) throw tooLarge();
  const bytes = await readBounded(response);
  return { name: decodeURIComponent(url.pathname.split('/').at(-1) ?? '') || url.host, bytes };
}

function parseAddress(address: string): URL {
  let url: URL;
  try {
    url = new URL(address.trim());
  } catch {
    throw new Error('This is not a valid URL.');
  }
  const local = url.protocol === 'http:' && ['localhost', '127.0.0.1'].includes(url.hostname);
  if (url.protocol !== 'https:' && !local)
    throw new Error('Only https URLs, and http URLs on localhost, can be fetched.');
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

const tooLarge = (): Error => new Error(`The text is larger than ${MAX_FETCHED_BYTES / 1e6} MB.`);
