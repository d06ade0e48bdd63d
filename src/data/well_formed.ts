/**
 * Half of a surrogate pair is no character: UTF-8 cannot encode it, so a checkpoint with it in its
 * tokenizer could not be written. Every way in for text replaces it.
 */

export const REPLACEMENT = '\ufffd';

/** Surrogates without their other half; `u` makes a pair one code point, which does not match. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** Replaces every lone surrogate by U+FFFD, and counts them. */
export function wellFormed(text: string): { text: string; replaced: number } {
  let replaced = 0;
  const clean = text.replace(LONE_SURROGATE, () => {
    replaced++;
    return REPLACEMENT;
  });
  return { text: clean, replaced };
}
