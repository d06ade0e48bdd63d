/** How often each word of the pre-tokenizer occurs, which is all that BPE training needs. */
import { splitAtEndOfText } from './byte_level.ts';
import { Ints } from './ints.ts';
import { wordEnd } from './pretokenize.ts';

export class WordCounts {
  /** Distinct words in order of first occurrence. */
  readonly words: string[] = [];
  /** Number of occurrences of each word. */
  readonly counts = new Ints();
  readonly #index = new Map<string, number>();

  add(document: string): void {
    for (const text of splitAtEndOfText(document)) {
      for (let start = 0; start < text.length;) {
        const end = wordEnd(text, start);
        this.#count(text.slice(start, end));
        start = end;
      }
    }
  }

  #count(word: string): void {
    const known = this.#index.get(word);
    if (known !== undefined) {
      this.counts.data[known]! += 1;
      return;
    }
    this.#index.set(word, this.words.length);
    this.words.push(word);
    this.counts.push(1);
  }
}
