/** How a model without a chat template is asked: as text that it continues. */
import type { Turns } from '../../common/index.ts';
import { type Tokenizer, wellFormed } from '../../data/index.ts';
import type { AskFormat } from './ask_format.ts';

/**
 * Messages become lines of text. A prompt begins with the end-of-text token, which precedes
 * documents in training, if the tokenizer has one.
 */
export function plainFormat(tokenizer: Tokenizer): AskFormat {
  const { eos_token_id } = tokenizer;
  const start = eos_token_id === null ? [] : [eos_token_id];
  const encodePrompt = (prompt: Turns): Int32Array => {
    const ids = [...start, ...tokenizer.encode(wellFormed(plainText(prompt)).text)];
    // Generation needs a token to start from, whichever.
    return Int32Array.from(ids.length > 0 ? ids : [0]);
  };
  return {
    tokenizer,
    eos_token_id,
    encodePrompt,
    encodeChoice: (prompt, choice) => {
      const before = encodePrompt(prompt);
      const after = tokenizer.encode(choice);
      return { ids: Int32Array.of(...before, ...after), prompt_length: before.length };
    },
    answerOf: (ids) => {
      const all = [...Int32Array.from(ids)];
      const end = eos_token_id === null ? -1 : all.indexOf(eos_token_id);
      const text = tokenizer.decode(end < 0 ? all : all.slice(0, end));
      return { text, ended: end >= 0 };
    },
  };
}

export const plainText = (prompt: Turns): string =>
  typeof prompt === 'string' ? prompt : prompt.map(({ content }) => `${content}\n`).join('');
