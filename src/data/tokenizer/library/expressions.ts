/** The expressions of one tokenizer, and what is done with their matches. */
import { unsupported } from '../file_errors.ts';
import { compile } from './compile.ts';
import { tooLong } from './limits.ts';
import { Matcher, Meter } from './matcher.ts';

export class Expressions {
  readonly #meter = new Meter();

  /**
   * Compiles an expression of the library, which is never run by the browser.
   *
   * @throws DataError tokenizer_unsupported
   */
  async compile(expression: RegExp | null): Promise<Matcher> {
    if (expression === null) throw unsupported('a pattern in it is missing');
    return new Matcher(await compile(expression.source), this.#meter);
  }

  /** Starts to count the steps for a new text. */
  reset(): void {
    this.#meter.reset();
  }
}

/**
 * Replaces all matches by `content`, literally.
 *
 * @throws DataError tokenizer_unsupported if the result has more than `limit` UTF-16 units.
 */
export function replaceMatches(
  text: string,
  matcher: Matcher,
  { content, limit }: { content: string; limit: number },
): string {
  const parts: string[] = [];
  let length = text.length;
  let last = 0;
  matcher.forEachMatch(text, (start, end) => {
    length += content.length - (end - start);
    if (length > limit) throw tooLong();
    parts.push(text.slice(last, start), content);
    last = end;
  });
  parts.push(text.slice(last));
  return parts.join('');
}

/** Which parts of a text a Split keeps: all of them, only the matches, or only what is between. */
export type Kept = 'all' | 'matches' | 'others';

/** Cuts a text before and after every match. Parts that are empty are left out. */
export function splitAtMatches(text: string, matcher: Matcher, kept: Kept): string[] {
  const parts: string[] = [];
  let last = 0;
  const add = (isMatch: boolean, start: number, end: number): void => {
    if (end > start && (kept === 'all' || isMatch === (kept === 'matches')))
      parts.push(text.slice(start, end));
  };
  matcher.forEachMatch(text, (start, end) => {
    add(false, last, start);
    add(true, start, end);
    last = end;
  });
  add(false, last, text.length);
  return parts;
}
