import type { DataConfig } from '../../config/index.ts';
import type { Corpus } from '../types.ts';
import { fetchText, loadKjv, loadMobyDick, loadSotu, type FetchText } from './assets.ts';
import { DataError } from '../errors.ts';
import { loadNames } from './names.ts';

export interface LoadOptions {
  fetchText?: FetchText;
}

/** The corpus that a configuration names. @throws DataError */
export async function loadCorpus(data: DataConfig, options: LoadOptions = {}): Promise<Corpus> {
  const read = options.fetchText ?? fetchText;
  switch (data.corpus) {
    case 'names': return loadNames();
    case 'moby_dick': return loadMobyDick(read);
    case 'kjv': return loadKjv(read);
    case 'sotu': return loadSotu(read);
    case 'tiny_tales':
    case 'arithmetic':
    case 'own': throw new DataError('no_text', `The text "${data.corpus}" is not there yet.`, 'Choose another text.');
    default: return data.corpus satisfies never;
  }
}
