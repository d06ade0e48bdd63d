/** How a model is asked: what chat and evaluation need of a template, or of a model without one. */
import type { Turns } from '../../common/index.ts';
import type { ChatFormat, Tokenizer } from '../../data/index.ts';

export interface AskFormat {
  tokenizer: Tokenizer;
  /** Ends an answer; null if nothing does. */
  eos_token_id: number | null;
  /** @throws DataError unknown_character, from a character tokenizer only. */
  encodePrompt(prompt: Turns): Int32Array;
  /** A prompt and a continuation without an end token, as lm-evaluation-harness scores choices. */
  encodeChoice(prompt: Turns, choice: string): { ids: Int32Array; prompt_length: number };
  /** The text of generated ids up to the first end token, and whether there was one. */
  answerOf(ids: ArrayLike<number>): { text: string; ended: boolean };
}

export function chatAskFormat(chat: ChatFormat): AskFormat {
  const { tokenizer, eos_token_id } = chat;
  return {
    tokenizer,
    eos_token_id,
    encodePrompt: (prompt) => chat.encodePrompt(prompt),
    encodeChoice: (prompt, choice) => {
      const { ids, mask } = chat.encodeAnswer(prompt, choice);
      const end = ids.lastIndexOf(eos_token_id);
      const first = mask.indexOf(1);
      const prompt_length = first < 0 ? ids.length : first;
      return { ids: end > prompt_length ? ids.slice(0, end) : ids, prompt_length };
    },
    answerOf: (ids) => chat.answerOf(ids),
  };
}
