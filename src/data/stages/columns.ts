/**
 * TRL's columns (docs/source/dataset_formats.md), each plain or conversational: `text`, `messages`,
 * `prompt` with `completion`, `prompt` with `chosen` and `rejected`, the latter two alone with the
 * prompt at their beginning, and `prompt` alone.
 */
import type {
  Message,
  PreferenceExample,
  PromptExample,
  SftExample,
  Turns,
} from '../../common/index.ts';
import { BadLine, cleanText, type Columns } from './json_lines.ts';

const ROLES: readonly string[] = ['system', 'user', 'assistant'];

/** @throws BadLine */
export function sftExample(columns: Columns): SftExample {
  if (columns.messages !== undefined) {
    const messages = readMessages(columns.messages, 'messages');
    if (!messages.some(({ role }) => role === 'assistant'))
      throw new BadLine('has a conversation without a turn of the assistant');
    return { messages };
  }
  if (columns.prompt !== undefined && columns.completion !== undefined) {
    const prompt = readTurns(columns.prompt, 'prompt');
    const completion = readTurns(columns.completion, 'completion');
    requireAnswer(completion, 'completion');
    requireSameKind(prompt, completion, 'completion');
    return { prompt, completion };
  }
  if (typeof columns.text !== 'string')
    throw new BadLine('has neither "messages" nor "prompt" and "completion" nor "text"');
  if (columns.text === '') throw new BadLine('has an empty text');
  return { text: cleanText(columns.text) };
}

/** @throws BadLine */
export function preferenceExample(columns: Columns): PreferenceExample {
  if (columns.chosen === undefined || columns.rejected === undefined)
    throw new BadLine('lacks "chosen" or "rejected"');
  const chosen = readTurns(columns.chosen, 'chosen');
  const rejected = readTurns(columns.rejected, 'rejected');
  const pair =
    columns.prompt === undefined
      ? explicit(chosen, rejected)
      : { prompt: readTurns(columns.prompt, 'prompt'), chosen, rejected };
  requireAnswer(pair.chosen, 'chosen');
  requireAnswer(pair.rejected, 'rejected');
  requireSameKind(pair.prompt, pair.chosen, 'chosen');
  requireSameKind(pair.prompt, pair.rejected, 'rejected');
  if (JSON.stringify(pair.chosen) === JSON.stringify(pair.rejected))
    throw new BadLine('has two equal answers, so that it says nothing about which is better');
  const { margin } = columns;
  if (margin === undefined || margin === null) return pair;
  if (typeof margin !== 'number' || !Number.isFinite(margin))
    throw new BadLine('has a "margin" that is not a number');
  return { ...pair, margin };
}

/** @throws BadLine */
export function promptExample(columns: Columns): PromptExample {
  if (columns.prompt === undefined) throw new BadLine('has no "prompt"');
  const prompt = readTurns(columns.prompt, 'prompt');
  if (prompt.length === 0) throw new BadLine('has an empty prompt');
  const answer = columns.answer ?? columns.completion ?? null;
  return { prompt, kind: 'own', answer: answer === null ? null : answerText(answer), facts: {} };
}

function answerText(answer: unknown): string {
  if (typeof answer === 'number') return String(answer);
  const turns = readTurns(answer, 'answer');
  return typeof turns === 'string' ? turns : (turns.at(-1)?.content ?? '');
}

/** An implicit prompt: the longest beginning that both answers share (TRL's `extract_prompt`). */
function explicit(chosen: Turns, rejected: Turns): PreferenceExample {
  if (typeof chosen === 'string' && typeof rejected === 'string') {
    let length = sharedLength(chosen, rejected, (a, b) => a === b);
    // As in TRL, a space before the answers belongs to them.
    if (length > 0 && chosen[length - 1] === ' ') length--;
    return {
      prompt: chosen.slice(0, length),
      chosen: chosen.slice(length),
      rejected: rejected.slice(length),
    };
  }
  if (typeof chosen === 'string' || typeof rejected === 'string')
    throw new BadLine('has one answer as text and the other as messages');
  const length = sharedLength(
    chosen,
    rejected,
    (a, b) => a.role === b.role && a.content === b.content,
  );
  return {
    prompt: chosen.slice(0, length),
    chosen: chosen.slice(length),
    rejected: rejected.slice(length),
  };
}

function sharedLength<T>(
  a: ArrayLike<T>,
  b: ArrayLike<T>,
  equal: (left: T, right: T) => boolean,
): number {
  let length = 0;
  while (length < a.length && length < b.length && equal(a[length] as T, b[length] as T)) length++;
  return length;
}

/** @throws BadLine */
export function readTurns(value: unknown, column: string): Turns {
  return typeof value === 'string' ? cleanText(value) : readMessages(value, column);
}

function readMessages(value: unknown, column: string): Message[] {
  if (!Array.isArray(value)) throw new BadLine(`has "${column}" that is no text and no messages`);
  return value.map((message: unknown) => readMessage(message, column));
}

function readMessage(message: unknown, column: string): Message {
  const { role, content } = (message ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof content !== 'string')
    throw new BadLine(`has a message in "${column}" without content`);
  if (typeof role !== 'string' || !isRole(role))
    throw new BadLine(`has a message in "${column}" whose role is not system, user or assistant`);
  return { role, content: cleanText(content) };
}

const isRole = (role: string): role is Message['role'] => ROLES.includes(role);

function requireAnswer(answer: Turns, column: string): void {
  if (typeof answer === 'string') {
    if (answer === '') throw new BadLine(`has an empty "${column}"`);
    return;
  }
  const said = answer.filter(({ role }) => role === 'assistant');
  if (said.length === 0) throw new BadLine(`has no turn of the assistant in "${column}"`);
  if (said.some(({ content }) => content === '')) throw new BadLine(`has an empty "${column}"`);
}

function requireSameKind(prompt: Turns, answer: Turns, column: string): void {
  if ((typeof prompt === 'string') !== (typeof answer === 'string'))
    throw new BadLine(`has "prompt" and "${column}" of two kinds, one text and one messages`);
}
