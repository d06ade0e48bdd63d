import type { OwnText, SplitVersion } from '../../common/index.ts';
import type { DataConfig } from '../../config/index.ts';
import { DataError } from '../errors.ts';
import type { Corpus } from '../types.ts';
import { arithmetic } from './arithmetic.ts';
import { fetchText, loadKjv, loadMobyDick, loadSotu, type FetchText } from './assets.ts';
import { loadNames } from './names.ts';

export interface LoadOptions {
  /** How built-in texts are read; by default with `fetch`. */
  fetchText?: FetchText;
  /** The text of the corpus 'own'. */
  text?: OwnText;
  /** How a table of own text was read; the newest way by default. */
  version?: SplitVersion | undefined;
}

/**
 * Loads the corpus that a configuration names; what only some corpora need is loaded with them.
 *
 * @throws DataError
 */
export async function loadCorpus(data: DataConfig, options: LoadOptions = {}): Promise<Corpus> {
  const read = options.fetchText ?? fetchText;
  switch (data.corpus) {
    case 'names':
      return loadNames();
    case 'moby_dick':
      return loadMobyDick(read);
    case 'kjv':
      return loadKjv(read);
    case 'sotu':
      return loadSotu(read);
    case 'tiny_tales': {
      const { tinyTales } = await import('./tiny_tales/generate.ts');
      return tinyTales(data.corpus_seed);
    }
    case 'arithmetic':
      return arithmetic(data.corpus_seed);
    case 'own': {
      const { readOwnText } = await import('./own_text.ts');
      return readOwnText(options.text ?? noText(), options.version);
    }
    default:
      return data.corpus satisfies never;
  }
}

function noText(): never {
  throw new DataError(
    'no_text',
    'No text was chosen.',
    'Paste, drop or open a text, or choose a built-in one.',
  );
}
