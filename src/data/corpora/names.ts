/** First names, one per document, from the package unique-names-generator (MIT), loaded lazily. */
import type { Corpus } from '../types.ts';

export async function loadNames(): Promise<Corpus> {
  const { names } = await import('unique-names-generator');
  return {
    name: 'names',
    documents: names.map((name) => name.trim().toLowerCase()),
    separator: '\n',
    source: 'First names of the npm package unique-names-generator (MIT)',
  };
}
