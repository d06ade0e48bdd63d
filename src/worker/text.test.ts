/** The preparation of own text: repeats, and the cache. */
import { expect, it } from 'vitest';
import type { OwnText } from '../common/index.ts';
import { TextCache } from './text.ts';
import { tinyConfig } from './testing_session.ts';

const options = (text: OwnText, tokenizer_json?: string) => ({
  text,
  tokenizer_json,
  signal: new AbortController().signal,
  progress: () => undefined,
});
const own = (content: string, change: Partial<OwnText> = {}): OwnText => ({
  name: 'a.txt',
  bytes: new TextEncoder().encode(content),
  ...change,
});
const LINES = 'the kettle sings at dawn\n'.repeat(500);

it('says how many repeats were removed from a text that is too short without them, and keeps them', async () => {
  const cache = new TextCache();
  const char = tinyConfig();
  const removed = await cache.get(char, options(own(LINES)));
  expect(removed.summary).toMatchObject({ documents: 2, duplicates_removed: 499 });
  const kept = await cache.get(char, options(own(LINES, { keep_repeats: true })));
  expect(kept.summary).toMatchObject({ documents: 500, duplicates_removed: 0 });
  expect(kept.tokens.train.length).toBe(450 * 25);
  const short = 'a\n'.repeat(30);
  await expect(cache.get(char, options(own(short)))).rejects.toMatchObject({
    message: expect.stringContaining('29 repeats were removed.') as string,
  });
});

it('caches a text by its content and by how it is read', async () => {
  const cache = new TextCache();
  const config = tinyConfig();
  const first = await cache.get(config, options(own('one two three\n'.repeat(9))));
  expect(await cache.get(config, options(own('one two three\n'.repeat(9))))).toBe(first);
  // The same name and size, and the same sum of bytes: 31 * 'A' + 'a' = 31 * 'B' + 'B'.
  const aa = await cache.get(config, options(own('Aa two three\n'.repeat(9))));
  const bb = await cache.get(config, options(own('BB two three\n'.repeat(9))));
  expect([aa.summary.sample.slice(0, 2), bb.summary.sample.slice(0, 2)]).toEqual(['Aa', 'BB']);
  const repeats = await cache.get(config, options(own(LINES)));
  const kept = await cache.get(config, options(own(LINES, { keep_repeats: true })));
  expect(kept.summary.documents).not.toBe(repeats.summary.documents);
});
