/** How examples become tokens with one tokenizer and one chat template. */
import type { Message, SftExample, Turns } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import type { ChatFormat, EncodedExample } from '../stages/types.ts';
import type { Tokenizer } from '../types.ts';
import {
  broughtConversation,
  isPrefix,
  notPrefix,
  type TemplateTokens,
} from './brought_template.ts';
import { maskOf, type Conversation } from './conversation.ts';
import { OWN_TEMPLATE, ownConversation } from './own_template.ts';
import { chatTokenizer, idOf, PAD, plainTokenizer, withPadding } from './roles.ts';

/** What the files of a brought model say about its special tokens. */
export interface ChatTokens extends TemplateTokens {
  pad_token_id?: number | null;
}

/**
 * The format of a stage, whose tokenizer is the parent's with the special tokens that it lacks.
 *
 * @param tokenizer The parent's.
 * @param template The parent's chat template; without one, ours and its tokens.
 * @throws DataError template_failed
 */
export function chatFormat(
  tokenizer: Tokenizer,
  template: string | null = null,
  tokens: ChatTokens = {},
): ChatFormat {
  if (template === null || template === OWN_TEMPLATE) {
    const own = chatTokenizer(tokenizer);
    return formatOf(own, {
      conversation: ownConversation(own),
      bos_token_id: tokens.bos_token_id ?? null,
      pad_token_id: idOf(own, PAD),
      chat_template: OWN_TEMPLATE,
    });
  }
  const conversation = broughtConversation(tokenizer, template, tokens);
  const padded = withPadding(tokenizer, conversation.eos_token_id, tokens.pad_token_id ?? null);
  return formatOf(padded.tokenizer, {
    conversation,
    pad_token_id: padded.pad_token_id,
    bos_token_id: tokens.bos_token_id ?? null,
    chat_template: template,
  });
}

interface FormatParts {
  conversation: Conversation;
  bos_token_id: number | null;
  pad_token_id: number;
  chat_template: string;
}

function formatOf(tokenizer: Tokenizer, parts: FormatParts): ChatFormat {
  const { conversation, pad_token_id, bos_token_id, chat_template } = parts;
  const { eos_token_id } = conversation;
  const plain = plainTokenizer(tokenizer, eos_token_id);
  const encoder = new ExampleEncoder(plain, conversation);
  return {
    tokenizer: plain,
    pad_token_id,
    bos_token_id,
    eos_token_id,
    chat_template,
    encode: (example, completion_only) => encoder.example(example, completion_only),
    encodePrompt: (prompt) => encoder.prompt(prompt),
    encodeAnswer: (prompt, answer) => encoder.answer(prompt, answer),
    answerOf: (ids) => answerOf(plain, eos_token_id, ids),
  };
}

/** TRL's rules for what is learned: completions and assistant turns, with their end tokens. */
class ExampleEncoder {
  readonly #plain: Tokenizer;
  readonly #conversation: Conversation;

  constructor(plain: Tokenizer, conversation: Conversation) {
    this.#plain = plain;
    this.#conversation = conversation;
  }

  example(example: SftExample, completion_only: boolean): EncodedExample {
    const encoded = this.#masked(example);
    // Text has no prompt, so that all of it is learned.
    if (completion_only || 'text' in example) return encoded;
    return { ids: encoded.ids, mask: encoded.mask.fill(1) };
  }

  #masked(example: SftExample): EncodedExample {
    if ('text' in example) return this.#ended(new Int32Array(0), example.text);
    if ('messages' in example) return this.#messages(example.messages);
    return this.answer(example.prompt, example.completion);
  }

  prompt(prompt: Turns): Int32Array {
    if (typeof prompt === 'string') return this.#plain.encode(prompt);
    return this.#conversation.encode(prompt, { add_generation_prompt: true });
  }

  answer(prompt: Turns, answer: Turns): EncodedExample {
    if (typeof answer !== 'string') return this.#messagesAfter(prompt, answer);
    // An answer of text after a prompt of messages is what the assistant says.
    if (typeof prompt !== 'string')
      return this.#messagesAfter(prompt, [{ role: 'assistant', content: answer }]);
    return this.#ended(this.prompt(prompt), answer);
  }

  /** Text after a prompt, with the end token. */
  #ended(prompt: Int32Array, text: string): EncodedExample {
    const answer = this.#plain.encode(text);
    const ids = new Int32Array(prompt.length + answer.length + 1);
    ids.set(prompt);
    ids.set(answer, prompt.length);
    ids[ids.length - 1] = this.#conversation.eos_token_id;
    return { ids, mask: maskOf(ids.length, [[prompt.length, ids.length]]) };
  }

  #messages(messages: readonly Message[]): EncodedExample {
    if (!messages.some(({ role }) => role === 'assistant')) throw noAssistant();
    return this.#conversation.encodeMasked(messages);
  }

  #messagesAfter(prompt: Turns, answer: readonly Message[]): EncodedExample {
    const before: readonly Message[] =
      typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt;
    const { ids, mask } = this.#messages([...before, ...answer]);
    const promptIds = this.prompt(before);
    if (!isPrefix(promptIds, ids)) throw notPrefix();
    mask.fill(0, 0, promptIds.length);
    return { ids, mask };
  }
}

const noAssistant = (): DataError =>
  new DataError(
    'bad_example',
    'The conversation has no turn of the assistant, so that there is nothing to learn.',
    'Add a message with the role assistant.',
  );

function answerOf(
  tokenizer: Tokenizer,
  eos_token_id: number,
  ids: ArrayLike<number>,
): { text: string; ended: boolean } {
  const all = Int32Array.from(ids);
  const end = all.indexOf(eos_token_id);
  const text = tokenizer.decode(end < 0 ? all : all.subarray(0, end));
  return { text, ended: end >= 0 };
}
