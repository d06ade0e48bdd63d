import { describe, expect, it } from 'vitest';
import type { TokenPiece, Turns } from '../../common/index.ts';
import { defaultConfig } from '../../config/index.ts';
import {
  answerText,
  Conversation,
  conversationLines,
  type AnswerEnd,
  type ChatModels,
} from './chat.ts';

const { sampling } = defaultConfig();
const piece = (text: string): TokenPiece => ({ id: 1, text, probability: 0.5, rivals: [] });

/** Models that answer with their own name; `base` continues text, and `broken` cannot be opened. */
function fakeModels() {
  const prompts: { run: string; prompt: Turns }[] = [];
  const stopped: string[] = [];
  let finish: ((end: AnswerEnd) => void) | null = null;
  const models: ChatModels = {
    open: async (run) => {
      if (run === 'broken') throw new Error('The checkpoint cannot be read.');
      return { chats: run !== 'base', block_size: 64, notes: [] };
    },
    answer: (run, { prompt }, onPieces) => {
      prompts.push({ run, prompt });
      onPieces([piece(run)]);
      const end: AnswerEnd = { reason: 'stop', text: run, context_left: 40 };
      const done =
        run === 'slow'
          ? new Promise<AnswerEnd>((resolve) => {
              finish = resolve;
            })
          : Promise.resolve(end);
      return {
        done,
        stop: () => {
          stopped.push(run);
          finish?.({ ...end, reason: 'cancelled', text: 'sl' });
        },
      };
    },
  };
  return { models, prompts, stopped };
}

describe('a conversation', () => {
  it('opens models with weights as they were chosen', async () => {
    const { models } = fakeModels();
    const asked: [string, string | undefined][] = [];
    const open: ChatModels['open'] = (run, dtype) => {
      asked.push([run, dtype]);
      return models.open(run);
    };
    const chat = new Conversation({ ...models, open });
    await chat.ask('one', ['a'], sampling);
    chat.store.setState({ dtype: 'float16' });
    await chat.ask('two', ['a'], sampling);
    expect(asked).toEqual([
      ['a', 'float32'],
      ['a', 'float16'],
    ]);
  });

  it('gives a model its own answers so far, and the system prompt', async () => {
    const { models, prompts } = fakeModels();
    const chat = new Conversation(models);
    chat.store.setState({ system: 'Be brief. ' });
    await chat.ask('one', ['a', 'b'], sampling);
    await chat.ask('two', ['a', 'b'], sampling);
    expect(prompts.at(-1)).toEqual({
      run: 'b',
      prompt: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: 'two' },
      ],
    });
    expect(conversationLines(chat.store.getState(), ['a']).trim().split('\n')).toHaveLength(1);
  });
  it('leaves out a question that a model could not read, so that the next one can be answered', async () => {
    const { models, prompts } = fakeModels();
    const chat = new Conversation({
      ...models,
      answer: (run, request, onPieces) => {
        const running = models.answer(run, request, onPieces);
        const unread = request.prompt.at(-1);
        if (typeof unread === 'string' || unread?.content !== '漢') return running;
        return { ...running, done: Promise.reject(new Error('It does not occur.')) };
      },
    });
    for (const question of ['one', '漢', 'two']) await chat.ask(question, ['a'], sampling);
    expect(prompts.at(-1)?.prompt).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'a' },
      { role: 'user', content: 'two' },
    ]);
  });
  it('gives a base model only the text to continue', async () => {
    const { models, prompts } = fakeModels();
    await new Conversation(models).ask('Once upon', ['base'], sampling);
    expect(prompts).toEqual([{ run: 'base', prompt: 'Once upon' }]);
  });
  it('says why a model cannot answer, and asks the other one', async () => {
    const { models } = fakeModels();
    const chat = new Conversation(models);
    await chat.ask('one', ['broken', 'a'], sampling);
    const [broken, a] = chat.store.getState().exchanges[0]?.answers ?? [];
    expect([broken?.state, broken?.problem]).toEqual(['failed', 'The checkpoint cannot be read.']);
    expect(a && answerText(a)).toBe('a');
  });
  it('keeps the text of an answer that was stopped, and asks no further model', async () => {
    const { models, stopped } = fakeModels();
    const chat = new Conversation(models);
    const asking = chat.ask('one', ['slow', 'a'], sampling);
    await Promise.resolve();
    await Promise.resolve();
    expect(chat.isAnswering).toBe(true);
    chat.stop();
    await asking;
    expect(stopped).toEqual(['slow']);
    const [slow, a] = chat.store.getState().exchanges[0]?.answers ?? [];
    expect([slow?.state, slow?.end?.reason, a?.state]).toEqual(['done', 'cancelled', 'failed']);
    expect(chat.isAnswering).toBe(false);
  });
  it('takes no second question while one is answered, and no empty one', async () => {
    const { models } = fakeModels();
    const chat = new Conversation(models);
    const first = chat.ask('one', ['a'], sampling);
    await chat.ask('two', ['a'], sampling);
    await chat.ask('  ', ['a'], sampling);
    await first;
    expect(chat.store.getState().exchanges).toHaveLength(1);
    chat.clear();
    expect(chat.store.getState().exchanges).toEqual([]);
  });
});
