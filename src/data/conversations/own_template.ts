/**
 * Our chat template: `<|user|>question<|end|><|assistant|>answer<|end|>`, without spaces or line
 * breaks, which a tokenizer of characters need not have.
 */
import { Ints } from '../tokenizer/ints.ts';
import { encodePlain } from '../tokenizer/special.ts';
import type { Tokenizer } from '../types.ts';
import { maskOf, type Conversation } from './conversation.ts';
import { END, idOf, PAD, ROLE_TOKENS } from './roles.ts';

/** Texts that a message must not contain as they are. */
const FORGEABLE: readonly string[] = [PAD, END, ...Object.values(ROLE_TOKENS), '<|endoftext|>'];

/** Puts a space into `<|`, so that a message cannot pretend to be a turn of its own. */
const defused = (token: string): string => token.replace('<|', '< |');

const DEFUSE = FORGEABLE.map((token) => ` | replace('${token}', '${defused(token)}')`).join('');

/** As `chat_template.jinja` has it. */
export const OWN_TEMPLATE = `{%- for message in messages -%}
  {%- set content = message['content']${DEFUSE} -%}
  {%- if message['role'] == 'assistant' -%}
    {{- '${ROLE_TOKENS.assistant}' -}}
    {%- generation -%}
      {{- content + '${END}' -}}
    {%- endgeneration -%}
  {%- elif message['role'] in ['system', 'user'] -%}
    {{- '<|' + message['role'] + '|>' + content + '${END}' -}}
  {%- else -%}
    {{- raise_exception('A message has another role than system, user and assistant.') -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '${ROLE_TOKENS.assistant}' -}}
{%- endif -%}
`;

/** Text of a message as the template writes it. */
export function messageText(content: string): string {
  if (!content.includes('<|')) return content;
  return FORGEABLE.reduce((text, token) => text.replaceAll(token, defused(token)), content);
}

/** Encodes as the template does, without rendering. */
export function ownConversation(tokenizer: Tokenizer): Conversation {
  const end = idOf(tokenizer, END);
  const roles = {
    system: idOf(tokenizer, ROLE_TOKENS.system),
    user: idOf(tokenizer, ROLE_TOKENS.user),
    assistant: idOf(tokenizer, ROLE_TOKENS.assistant),
  };
  return {
    eos_token_id: end,
    encode(messages, { add_generation_prompt }) {
      const ids = new Ints(256);
      for (const { role, content } of messages) {
        ids.push(roles[role]);
        ids.pushAll(encodePlain(tokenizer, messageText(content)));
        ids.push(end);
      }
      if (add_generation_prompt) ids.push(roles.assistant);
      return ids.toArray();
    },
    encodeMasked(messages) {
      const ids = new Ints(256);
      const spans: [number, number][] = [];
      for (const { role, content } of messages) {
        ids.push(roles[role]);
        const start = ids.length;
        ids.pushAll(encodePlain(tokenizer, messageText(content)));
        ids.push(end);
        if (role === 'assistant') spans.push([start, ids.length]);
      }
      return { ids: ids.toArray(), mask: maskOf(ids.length, spans) };
    },
  };
}
