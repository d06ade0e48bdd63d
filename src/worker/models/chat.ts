/** Answers of an open model to a conversation, streamed token by token. */
import type { TokenPiece } from '../../common/index.ts';
import { TokenStream } from '../../data/index.ts';
import type { ChatCommand, ChatDoneEvent, Event } from '../../protocol/index.ts';
import { breathe } from '../../train/index.ts';
import { TokenGroups } from '../generation.ts';
import { pieceOf } from '../samples.ts';
import { ModelRefusal } from './model_refusal.ts';
import type { OpenModel } from './open_model.ts';

/** Tokens of a chunk arrive without a pause; the worker answers its messages this often. */
const BREATHE_MS = 5;

export interface ChatSurroundings {
  emit: (event: Event) => void;
  /** Checked after every token. */
  stopped: () => boolean;
}

/**
 * Streams an answer. It ends with the end token, with `max_new_tokens`, when the context is full, or
 * when it is stopped.
 *
 * @throws ModelRefusal for a reward model, and for a conversation that fills the context
 * @throws DataError for a prompt that the tokenizer cannot encode
 */
export async function chat(
  model: OpenModel,
  { id, prompt, sampling }: ChatCommand,
  { emit, stopped }: ChatSurroundings,
): Promise<ChatDoneEvent> {
  if (model.isReward) throw writesNothing(model);
  const { format } = model;
  const { tokenizer, eos_token_id: stop_id } = format;
  const ids = [...format.encodePrompt(prompt)];
  const room = roomAfter(model, ids.length);
  const max_new_tokens = Math.min(sampling.max_new_tokens, room);
  const options = { ...sampling, max_new_tokens, stop_id, vocab_limit: model.vocabLimit };
  const stream = new TokenStream(tokenizer);
  const groups = new TokenGroups((pieces) => emit({ type: 'token', id, pieces }));
  const answer: number[] = [];
  /** Not sent yet: if it ends the answer, it gets what its bytes leave incomplete. */
  let last: TokenPiece | null = null;
  let breathed = performance.now();
  try {
    const generator = await model.generator();
    for await (const { choice } of generator.generateRows([ids], options)) {
      if (stopped()) break;
      answer.push(choice.id);
      if (choice.id === stop_id) break;
      if (last) groups.add(last);
      last = pieceOf({ tokenizer }, choice, stream.push(choice.id));
      if (performance.now() - breathed < BREATHE_MS) continue;
      await breathe();
      breathed = performance.now();
    }
  } finally {
    if (last) groups.add({ ...last, text: last.text + stream.end() });
    groups.flush();
  }
  const { text, ended } = format.answerOf(answer);
  let reason: ChatDoneEvent['reason'] = ended ? 'stop' : 'length';
  if (!ended && stopped()) reason = 'cancelled';
  return {
    type: 'chat_done',
    id,
    reason,
    text,
    prompt_tokens: ids.length,
    tokens: answer.length,
    context_left: room - answer.length,
  };
}

/** Tokens that an answer may have; a context that moves on would lose the roles of a conversation. */
function roomAfter({ model, checkpoint }: OpenModel, prompt_tokens: number): number {
  const room = model.block_size - prompt_tokens;
  if (room > 0) return room;
  throw new ModelRefusal(
    'context_full',
    `The conversation has ${prompt_tokens} tokens, and “${checkpoint.name}” reads at most ` +
      `${model.block_size}, so there is no room for an answer.`,
    'Shorten the question, or begin a new conversation.',
  );
}

export const writesNothing = ({ checkpoint }: OpenModel): ModelRefusal =>
  new ModelRefusal(
    'reward_model',
    `“${checkpoint.name}” is a reward model: it scores answers and writes none.`,
    'Choose the model that it was trained from, or another one.',
  );
