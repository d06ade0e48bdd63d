/** Chat templates that were not written here: Jinja, as transformers renders it. */
import type { Message } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';
import { boundedTemplate } from './bounded_template.ts';
import { maskOf, type Conversation } from './conversation.ts';

/** What a template may use besides the messages. */
export interface TemplateTokens {
  bos_token_id?: number | null;
  eos_token_id?: number | null;
}

type Render = (messages: readonly Message[], add_generation_prompt: boolean) => string;

/** A text that no template has, to find out what follows an answer. */
const SENTINEL = 'Qwxzjv';

/**
 * @param tokenizer Encodes the text of its special tokens as these tokens.
 * @throws DataError template_failed if the template cannot be read or does not end a turn.
 */
export function broughtConversation(
  tokenizer: Tokenizer,
  template: string,
  tokens: TemplateTokens = {},
): Conversation {
  const render = renderer(template, tokenizer, tokens);
  const eos_token_id = endOfTurn(render, tokenizer) ?? tokens.eos_token_id ?? throwNoEnd();
  const encode: Conversation['encode'] = (messages, { add_generation_prompt }) =>
    tokenizer.encode(render(messages, add_generation_prompt));
  return {
    eos_token_id,
    encode,
    encodeMasked(messages) {
      const ids = encode(messages, { add_generation_prompt: false });
      const spans = messages.flatMap(({ role }, index): [number, number][] => {
        if (role !== 'assistant') return [];
        const before = encode(messages.slice(0, index), { add_generation_prompt: true });
        if (!isPrefix(before, ids)) throw notPrefix();
        const end = ids.indexOf(eos_token_id, before.length);
        if (end < 0) throwNoEnd();
        return [[before.length, end + 1]];
      });
      return { ids, mask: maskOf(ids.length, spans) };
    },
  };
}

function renderer(template: string, tokenizer: Tokenizer, tokens: TemplateTokens): Render {
  const nameOf = (id: number | null | undefined): string => {
    const found = [...tokenizer.special_tokens].find(([, special]) => special === id);
    return found?.[0] ?? '';
  };
  const bos_token = nameOf(tokens.bos_token_id);
  const eos_token = nameOf(tokens.eos_token_id ?? tokenizer.eos_token_id);
  const write = guarded(() => boundedTemplate(template));
  return (messages, add_generation_prompt) =>
    guarded(() =>
      write({
        messages: messages.map(({ role, content }) => ({ role, content })),
        add_generation_prompt,
        tools: null,
        bos_token,
        eos_token,
      }),
    );
}

function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(
      'template_failed',
      `The chat template of this model cannot write the conversation: ${reason.slice(0, 200)}`,
      'Change the conversation, such as the order of its roles, or use another model.',
    );
  }
}

/** The first special token after an answer. */
function endOfTurn(render: Render, tokenizer: Tokenizer): number | null {
  const messages: Message[] = [
    { role: 'user', content: 'Hello.' },
    { role: 'assistant', content: SENTINEL },
  ];
  const text = render(messages, false);
  const after = text.slice(text.lastIndexOf(SENTINEL) + SENTINEL.length);
  let first: { at: number; id: number } | null = null;
  for (const [token, id] of tokenizer.special_tokens) {
    const at = after.indexOf(token);
    if (at >= 0 && (first === null || at < first.at)) first = { at, id };
  }
  return first?.id ?? null;
}

export function isPrefix(prefix: Int32Array, ids: Int32Array): boolean {
  return prefix.length <= ids.length && prefix.every((id, index) => ids[index] === id);
}

export const notPrefix = (): DataError =>
  new DataError(
    'template_failed',
    'With this chat template, a prompt is not the beginning of the conversation that it belongs to.',
    'Use examples with one answer, or a template whose prompt is the beginning of the conversation.',
  );

function throwNoEnd(): never {
  throw new DataError(
    'template_failed',
    'The chat template of this model does not end the turn of the assistant with a special token.',
    'Use another chat template, whose end token the model can learn.',
  );
}
