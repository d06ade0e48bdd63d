/** Texts by URL: names, types, and one sentence for each failure. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fetchText } from './address.ts';

afterEach(() => vi.unstubAllGlobals());

function answerWith(body: BodyInit, type = 'text/plain', status = 200): void {
  const headers = type ? { 'content-type': type } : undefined;
  vi.stubGlobal('fetch', async () => new Response(body, { status, headers }));
}

const nameAt = async (url: string): Promise<string> => (await fetchText(url)).name;

describe('the name of a fetched text', () => {
  it('is the last part of the path, also where a percent sign encodes nothing', async () => {
    answerWith('one two');
    expect(await nameAt('https://example.org/a/my%20text.txt')).toBe('my text.txt');
    expect(await nameAt('https://example.org/100%_wool.txt')).toBe('100%_wool.txt');
    expect(await nameAt('https://example.org/%ff.txt')).toBe('%ff.txt');
    expect(await nameAt('https://example.org/')).toBe('example.org');
  });

  it.each([
    ['text/csv', 'export.csv'],
    ['text/csv; charset=utf-8', 'export.csv'],
    ['text/tab-separated-values', 'export.tsv'],
    ['application/x-ndjson', 'export.jsonl'],
    ['text/plain', 'export'],
    ['application/octet-stream', 'export'],
    ['', 'export'],
  ])('has the ending of the type %j', async (type, name) => {
    answerWith(new TextEncoder().encode('a,b'), type);
    expect(await nameAt('https://example.org/export')).toBe(name);
  });

  it('keeps its own ending', async () => {
    answerWith('a,b', 'text/plain');
    expect(await nameAt('https://example.org/a.csv')).toBe('a.csv');
    answerWith('a,b', 'text/csv');
    expect(await nameAt('https://example.org/a.txt')).toBe('a.txt');
  });
});

describe('a text that cannot be fetched', () => {
  const failure = (url: string) => expect(fetchText(url)).rejects;

  it('says so in one sentence', async () => {
    await failure('no url').toThrow(/^This is not a valid URL\.$/);
    await failure('ftp://example.org/a').toThrow(/^Only https URLs/);
    await failure('http://example.org/a').toThrow(/^Only https URLs/);
    answerWith('', 'text/plain', 404);
    await failure('https://example.org/a').toThrow(/^example\.org responded with status 404\.$/);
    answerWith('<html>', 'text/html; charset=utf-8');
    await failure('https://example.org/a').toThrow(
      /^example\.org answered with text\/html, which is no text\.$/,
    );
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    await failure('https://example.org/a').toThrow(/^example\.org did not respond, or /);
    const broken = new ReadableStream({
      start: (controller) => controller.error(new TypeError('network error')),
    });
    answerWith(broken);
    await failure('https://example.org/a').toThrow(
      /^The connection to example\.org ended before the whole text had arrived\.$/,
    );
  });

  it('may be on this device', async () => {
    answerWith('one');
    expect(await nameAt('http://localhost:8000/a.txt')).toBe('a.txt');
    expect(await nameAt('http://127.0.0.1:8000/a.txt')).toBe('a.txt');
  });
});
