import { describe, expect, it } from 'vitest';
import { type CorpusName } from '../../config/index.ts';
import { loadCorpus } from './index.ts';
import { readAsset } from '../fixtures/node.ts';

const load = (corpus: CorpusName) =>
  loadCorpus({ corpus, corpus_seed: 1, val_fraction: 0.1 }, { fetchText: readAsset });

describe('built-in texts', () => {
  it('include 4,940 names in lower case', async () => {
    const { documents } = await load('names');
    expect(documents).toHaveLength(4940);
    expect(documents.every((name) => /^[a-z-]+$/.test(name))).toBe(true);
  });
  it('include a novel of 135 chapters that start with their headings', async () => {
    const { documents } = await load('moby_dick');
    expect(documents).toHaveLength(135);
    expect(documents.every((chapter, i) => chapter.startsWith(`CHAPTER ${i + 1}. `))).toBe(true);
  });
  it('include 1,189 chapters of verses in 31,102 lines, without markup', async () => {
    const { documents } = await load('kjv');
    expect(documents).toHaveLength(1189);
    expect(documents.reduce((sum, chapter) => sum + chapter.split('\n').length, 0)).toBe(31102);
    expect(documents.some((chapter) => /[#[\]]/.test(chapter))).toBe(false);
    expect(documents[0]).toMatch(/^In the beginning God created the heaven and the earth\.\n/);
  });
  it('include 233 speeches', async () => {
    const { documents } = await load('sotu');
    expect(documents).toHaveLength(233);
    expect(documents[0]).toMatch(/^Fellow-Citizens/);
    expect(documents.reduce((sum, speech) => sum + speech.length, 0)).toBeGreaterThan(10_000_000);
  });
  it('include generated texts and own text', async () => {
    expect((await load('arithmetic')).documents[0]).toMatch(/^\d+[-+*/]\d+=-?\d+$/);
    expect((await load('tiny_tales')).documents).toHaveLength(30_000);
    await expect(load('own')).rejects.toMatchObject({ code: 'no_text' });
    const text = { name: 'a.txt', bytes: new TextEncoder().encode('one two') };
    expect(
      await loadCorpus({ corpus: 'own', corpus_seed: 1, val_fraction: 0.1 }, { text }),
    ).toMatchObject({ name: 'a.txt' });
  });
  it('fail with a sentence when the site cannot be reached', async () => {
    const unreachable = loadCorpus({ corpus: 'kjv', corpus_seed: 1, val_fraction: 0.1 });
    await expect(unreachable).rejects.toMatchObject({ code: 'text_unreachable' });
  });
});
