/** Token ids that a generated text starts from. */
import { DataError, hashUnit, type StageData, type Tokenizer, wellFormed } from '../data/index.ts';
import type { PreparedText } from './prepared_text.ts';

/** Separates the draw of a first token from other uses of the seed. */
const START = 0x7374_6172;

type Start = Pick<
  PreparedText,
  'tokenizer' | 'tokens' | 'separator' | 'by_document' | 'knows_end_of_text' | 'stage'
>;

/**
 * Ids of a prompt, never empty. A document starts after what precedes documents in the training
 * text, which an empty prompt needs as well.
 *
 * @param seed Draws the first token where nothing in the text marks a start.
 * @throws DataError unknown_character
 */
export function promptIds(text: Start, prompt: string, seed: number): number[] {
  if (text.stage) return askedIds(text.stage.data, wellFormed(prompt).text);
  const ids = [...text.tokenizer.encode(wellFormed(prompt).text)];
  if (!text.by_document && ids.length > 0) return ids;
  return [...startIds(text, seed), ...ids];
}

/** Ids of a prompt as the stage's own are written: text, or what a user says. */
function askedIds({ chat, prompts }: StageData, prompt: string): number[] {
  const [shown] = prompts.val;
  const isText = shown === undefined || typeof shown.example.prompt === 'string';
  const ids = chat.encodePrompt(isText ? prompt : [{ role: 'user', content: prompt }]);
  return ids.length > 0 ? [...ids] : [chat.eos_token_id];
}

/**
 * What precedes the first token of a text: the end-of-text token if the model has met it, else the
 * separator of documents, a line end or a space, else a token drawn from the training text.
 */
function startIds(text: Start, seed: number): number[] {
  const { tokenizer, separator, by_document, tokens } = text;
  const { eos_token_id } = tokenizer;
  if (eos_token_id !== null && text.knows_end_of_text) return [eos_token_id];
  for (const mark of [separator, '\n', ' ']) {
    const ids = encodeIfKnown(tokenizer, mark);
    const isKnown = ids.every((id) => tokens.train.includes(id));
    if (ids.length > 0 && (isKnown || (by_document && mark === separator))) return ids;
  }
  const drawn = tokens.train[Math.floor(hashUnit(START, seed) * tokens.train.length)];
  return [drawn ?? 0];
}

/** No ids for a text that the tokenizer does not have. */
function encodeIfKnown(tokenizer: Tokenizer, text: string): number[] {
  try {
    return [...tokenizer.encode(text)];
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return [];
  }
}
