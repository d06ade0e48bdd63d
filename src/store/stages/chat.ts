/** A conversation with one model, or with two on the same questions. */
import { createStore } from 'zustand/vanilla';
import type { GenerationEnd, Message, TokenPiece, Turns } from '../../common/index.ts';
import type { SamplingConfig } from '../../config/index.ts';
import type { WeightDtype } from '../../protocol/index.ts';

/** What is known of a model once it is open. */
export interface OpenChatModel {
  /** It has a chat template; otherwise it continues text. */
  chats: boolean;
  /** Tokens of its context. */
  block_size: number;
  /** What was changed while reading, in sentences. */
  notes: readonly string[];
}

export interface AnswerEnd {
  reason: GenerationEnd;
  /** Without the end token. */
  text: string;
  /** Tokens that the context still has room for. */
  context_left: number;
}

/** An answer that is being written. */
export interface RunningAnswer {
  done: Promise<AnswerEnd>;
  stop(): void;
}

/** Models that can be talked to, by the id of their run. */
export interface ChatModels {
  /** Opens a model, or gives what is known of it if it is open. Rejects with a plain sentence. */
  open(run: string, dtype?: WeightDtype): Promise<OpenChatModel>;
  answer(
    run: string,
    request: { prompt: Turns; sampling: SamplingConfig },
    onPieces: (pieces: readonly TokenPiece[]) => void,
  ): RunningAnswer;
}

export interface ChatAnswer {
  run: string;
  pieces: readonly TokenPiece[];
  state: 'opening' | 'writing' | 'done' | 'failed';
  /** How it ended; null before. */
  end: AnswerEnd | null;
  /** Why it failed, one sentence. */
  problem: string;
}

/** A question, and the answer of each model that it was put to. */
export interface Exchange {
  question: string;
  answers: readonly ChatAnswer[];
}

export interface ChatState {
  system: string;
  /** How the device keeps the weights of the models. */
  dtype: WeightDtype;
  exchanges: readonly Exchange[];
  /** Of each model that was opened. */
  opened: Readonly<Record<string, OpenChatModel>>;
}

const NOTHING: ChatState = { system: '', dtype: 'float32', exchanges: [], opened: {} };

export const createChat = () => createStore<ChatState>(() => NOTHING);
export type ChatStore = ReturnType<typeof createChat>;

/** What an answer says: without its end token, and also if it was stopped. */
export const answerText = ({ end, pieces }: ChatAnswer): string =>
  end?.text ?? pieces.map(({ text }) => text).join('');

/**
 * The conversation as one model had it: with its own answers, and without questions that it could
 * not answer, which it could not read or has no room for.
 */
export function messagesOf({ system, exchanges }: ChatState, run: string): Message[] {
  const messages: Message[] =
    system.trim() === '' ? [] : [{ role: 'system', content: system.trim() }];
  for (const { question, answers } of exchanges) {
    const answer = answers.find((one) => one.run === run);
    if (answer?.state === 'failed') continue;
    messages.push({ role: 'user', content: question });
    if (answer?.state === 'done') messages.push({ role: 'assistant', content: answerText(answer) });
  }
  return messages;
}

/** What a model is given: the conversation, or only the last text if it continues text. */
function promptOf(state: ChatState, run: string, chats: boolean): Turns {
  return chats ? messagesOf(state, run) : (state.exchanges.at(-1)?.question ?? '');
}

/** The conversation of each model as a line of JSON, in TRL's column `messages`. */
export const conversationLines = (state: ChatState, runs: readonly string[]): string =>
  runs.map((run) => `${JSON.stringify({ messages: messagesOf(state, run) })}\n`).join('');

export class Conversation {
  readonly store: ChatStore;
  readonly #models: ChatModels;
  readonly #running = new Set<RunningAnswer>();
  /** Increases when everything that is being written is given up. */
  #turn = 0;

  constructor(models: ChatModels, store = createChat()) {
    this.#models = models;
    this.store = store;
  }

  get isAnswering(): boolean {
    const answers = this.store.getState().exchanges.at(-1)?.answers ?? [];
    return answers.some(({ state }) => state === 'opening' || state === 'writing');
  }

  /** Puts a question to the models, one after the other: they share one device. */
  async ask(question: string, runs: readonly string[], sampling: SamplingConfig): Promise<void> {
    if (this.isAnswering || question.trim() === '' || runs.length === 0) return;
    const turn = ++this.#turn;
    const answers = runs.map((run): ChatAnswer => ({
      run,
      pieces: [],
      state: 'opening',
      end: null,
      problem: '',
    }));
    this.store.setState(({ exchanges }) => ({ exchanges: [...exchanges, { question, answers }] }));
    for (const run of runs) {
      if (turn !== this.#turn) return;
      await this.#answer(run, sampling, turn);
    }
  }

  /** Ends what is being written; the text so far stays. */
  stop(): void {
    for (const answer of this.#running) answer.stop();
    const waits = ({ state, pieces }: ChatAnswer): boolean =>
      state === 'opening' && pieces.length === 0;
    this.#turn += 1;
    for (const { run } of this.store.getState().exchanges.at(-1)?.answers.filter(waits) ?? [])
      this.#change(run, { state: 'failed', problem: 'Stopped.' });
  }

  /** Begins anew. */
  clear(): void {
    this.stop();
    this.store.setState({ exchanges: [] });
  }

  async #answer(run: string, sampling: SamplingConfig, turn: number): Promise<void> {
    let running: RunningAnswer | null = null;
    try {
      const opened = await this.#models.open(run, this.store.getState().dtype);
      this.store.setState((state) => ({ opened: { ...state.opened, [run]: opened } }));
      if (turn !== this.#turn) return;
      this.#change(run, { state: 'writing' });
      const prompt = promptOf(this.store.getState(), run, opened.chats);
      running = this.#models.answer(run, { prompt, sampling }, (pieces) =>
        this.#change(run, (answer) => ({ pieces: [...answer.pieces, ...pieces] })),
      );
      this.#running.add(running);
      const end = await running.done;
      this.#change(run, { state: 'done', end });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#change(run, { state: 'failed', problem });
    } finally {
      if (running) this.#running.delete(running);
    }
  }

  /** Changes the newest answer of a model. */
  #change(
    run: string,
    change: Partial<ChatAnswer> | ((answer: ChatAnswer) => Partial<ChatAnswer>),
  ): void {
    this.store.setState(({ exchanges }) => {
      const last = exchanges.at(-1);
      if (!last) return {};
      const answers = last.answers.map((answer) => {
        if (answer.run !== run) return answer;
        const changed = typeof change === 'function' ? change(answer) : change;
        return { ...answer, ...changed };
      });
      return { exchanges: [...exchanges.slice(0, -1), { ...last, answers }] };
    });
  }
}
