/** Voting on pairs of answers of one model: the present pair, the next one, and the votes so far. */
import { createStore } from 'zustand/vanilla';
import type { Message, TokenPiece, Turns, Vote } from '../../common/index.ts';
import { defaultConfig, type SamplingConfig } from '../../config/index.ts';
import type { ChatModels } from './chat.ts';

/** What voting needs of the worker. Every method rejects with a plain sentence. */
export interface VoteModels extends ChatModels {
  /** Prompts of the task that the model has learned; none if it has learned no task. */
  drawPrompts(run: string, count: number, seed: number): Promise<readonly Turns[]>;
  /** All votes on answers of this model, the oldest first; the next two answer with the same. */
  votes(run: string): Promise<readonly Vote[]>;
  vote(vote: Vote): Promise<readonly Vote[]>;
  undoVote(run: string): Promise<readonly Vote[]>;
}

export interface VotedAnswer {
  pieces: readonly TokenPiece[];
  text: string;
}

export interface AnswerPair {
  prompt: Turns;
  answers: readonly [VotedAnswer, VotedAnswer];
}

export interface VoteState {
  run: string | null;
  step: number;
  state: 'idle' | 'opening' | 'writing' | 'ready' | 'failed';
  pair: AnswerPair | null;
  votes: readonly Vote[];
  /** Why there is no pair, one sentence. */
  problem: string;
}

const NOTHING: VoteState = {
  run: null,
  step: 0,
  state: 'idle',
  pair: null,
  votes: [],
  problem: '',
};

export const createVotes = () => createStore<VoteState>(() => NOTHING);
export type VoteStore = ReturnType<typeof createVotes>;

/** Prompts that are asked for at once. */
const PROMPTS = 32;
/** Pairs that are drawn before two equal answers are given up. */
const TRIES = 4;

const SAMPLING: SamplingConfig = {
  ...defaultConfig().sampling,
  temperature: 1,
  max_new_tokens: 64,
};

export class Voting {
  readonly store: VoteStore;
  readonly #models: VoteModels;
  #prompts: Turns[] = [];
  /** The pairs after the present one; the first is written while the present one is read. */
  #queue: Promise<AnswerPair>[] = [];
  /** Increases with every answer, so that no two are drawn with one seed. */
  #draws = 0;
  /** Pairs that were voted on, newest last, so that a vote can be taken back. */
  #voted: AnswerPair[] = [];

  constructor(models: VoteModels, store = createVotes()) {
    this.#models = models;
    this.store = store;
  }

  /** Begins with a model, or goes on where it was left. */
  async begin(run: string, step: number): Promise<void> {
    const { run: current, state } = this.store.getState();
    if (current === run && state !== 'failed') return;
    this.#prompts = [];
    this.#queue = [];
    this.#voted = [];
    this.store.setState({ ...NOTHING, run, step, state: 'opening' });
    await this.#showing(run, async () => {
      const votes = await this.#models.votes(run);
      this.#draws = 2 * votes.length;
      if (this.store.getState().run === run) this.store.setState({ votes });
      return this.#write(run);
    });
  }

  /** 0 and 1 choose an answer, null neither. Shows the next pair. */
  async choose(choice: Vote['choice']): Promise<void> {
    const { run, step, pair, state } = this.store.getState();
    if (run === null || !pair || state !== 'ready') return;
    const [first, second] = pair.answers;
    const answers = [first.text, second.text] as const;
    this.store.setState({ state: 'writing' });
    await this.#showing(run, async () => {
      const vote = { run, step, prompt: pair.prompt, answers, choice, at: Date.now() };
      const votes = await this.#models.vote(vote);
      this.#voted.push(pair);
      this.store.setState({ votes, pair: null });
      return this.#upcoming(run);
    });
  }

  /** Takes the last vote back and shows its pair again, if it was given on this page. */
  async undo(): Promise<void> {
    const { run, votes, state, pair } = this.store.getState();
    if (run === null || votes.length === 0 || state !== 'ready' || !pair) return;
    this.store.setState({ state: 'writing' });
    await this.#showing(run, async () => {
      const left = await this.#models.undoVote(run);
      this.store.setState({ votes: left });
      const before = this.#voted.pop();
      if (!before) return pair;
      this.#queue.unshift(Promise.resolve(pair));
      return before;
    });
  }

  /** Asks a question of the user's own. */
  async ask(question: string): Promise<void> {
    const { run, state } = this.store.getState();
    if (run === null || question.trim() === '' || (state !== 'ready' && state !== 'failed')) return;
    this.store.setState({ state: 'writing', pair: null, problem: '' });
    const prompt: readonly Message[] = [{ role: 'user', content: question.trim() }];
    await this.#showing(run, () => this.#draw(run, prompt));
  }

  /** Shows the pair that `make` gives, or why there is none. */
  async #showing(run: string, make: () => Promise<AnswerPair>): Promise<void> {
    try {
      const pair = await make();
      if (this.store.getState().run !== run) return;
      this.store.setState({ pair, state: 'ready', problem: '' });
      if (this.#queue.length === 0) this.#writeAhead(run);
    } catch (error) {
      if (this.store.getState().run !== run) return;
      const problem = error instanceof Error ? error.message : String(error);
      this.store.setState({ state: 'failed', problem });
    }
  }

  #upcoming(run: string): Promise<AnswerPair> {
    return this.#queue.shift() ?? this.#write(run);
  }

  /** A failure is told when the pair is needed. */
  #writeAhead(run: string): void {
    const pair = this.#write(run);
    pair.catch(() => undefined);
    this.#queue.push(pair);
  }

  async #write(run: string): Promise<AnswerPair> {
    if (this.#prompts.length === 0)
      this.#prompts = [...(await this.#models.drawPrompts(run, PROMPTS, this.#draws + 1))];
    const prompt = this.#prompts.shift();
    if (prompt === undefined)
      throw new Error('This model has learned no task to draw questions from. Ask your own below.');
    return this.#draw(run, prompt);
  }

  /** Two answers that differ. */
  async #draw(run: string, prompt: Turns): Promise<AnswerPair> {
    await this.#models.open(run);
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const first = await this.#answer(run, prompt);
      const second = await this.#answer(run, prompt);
      if (first.text !== second.text) return { prompt, answers: [first, second] };
    }
    throw new Error(
      'The model gives the same answer every time, so there is nothing to choose. Ask another question.',
    );
  }

  async #answer(run: string, prompt: Turns): Promise<VotedAnswer> {
    const pieces: TokenPiece[] = [];
    this.#draws += 1;
    const sampling = { ...SAMPLING, sample_seed: this.#draws };
    const { done } = this.#models.answer(run, { prompt, sampling }, (more) => {
      pieces.push(...more);
    });
    const { text } = await done;
    return { pieces, text };
  }
}

/** Votes that prefer one of the two answers. */
export const decided = (votes: readonly Vote[]): Vote[] =>
  votes.filter(({ choice }) => choice !== null);

/** Preferences as JSON lines in TRL's columns; votes for neither are left out. */
export function preferenceLines(votes: readonly Vote[]): string {
  return decided(votes)
    .map(({ prompt, answers, choice }) => {
      const [chosen, rejected] = choice === 1 ? [answers[1], answers[0]] : answers;
      const turns = asTurns(prompt, chosen, rejected);
      return `${JSON.stringify(turns)}\n`;
    })
    .join('');
}

/** Plain text stays plain; messages are answered by messages. */
function asTurns(prompt: Turns, chosen: string, rejected: string) {
  if (typeof prompt === 'string') return { prompt, chosen, rejected };
  const answer = (content: string): Message[] => [{ role: 'assistant', content }];
  return { prompt, chosen: answer(chosen), rejected: answer(rejected) };
}

/** What was asked last, as the page shows it. */
export const askedText = (prompt: Turns): string =>
  typeof prompt === 'string' ? prompt : (prompt.at(-1)?.content ?? '');
