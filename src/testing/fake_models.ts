/** Models that the scripted page can talk to: they answer at once, word by word. */
import type { Vote } from '../common/index.ts';
import type { AnswerEnd } from '../store/stages/chat.ts';
import type { VoteModels } from '../store/stages/votes.ts';
import { stageSamples } from './fake_stage_run.ts';

const TOKEN_MS = 60;
const CONTEXT = 128;

let votes: Vote[] = [];

export const fakeChatModels: VoteModels = {
  open: async (run) => ({ chats: run !== 'base', block_size: CONTEXT, notes: [] }),
  drawPrompts: async (_run, count) =>
    Array.from({ length: count }, (_, i) => `Where did ${['Mia', 'Tom', 'Anna'][i % 3]} go?`),
  votes: async () => votes,
  vote: async (vote) => (votes = [...votes, vote]),
  undoVote: async () => (votes = votes.slice(0, -1)),
  answer: (run, { prompt, sampling }, onPieces) => {
    const turn = prompt.length + sampling.sample_seed;
    const samples = stageSamples(turn, run === 'base' ? 0 : 1);
    const { tokens = [] } = samples[turn % samples.length] ?? {};
    let stopped = false;
    const write = async (): Promise<AnswerEnd> => {
      let written = '';
      for (const piece of tokens) {
        if (stopped) break;
        await new Promise((resolve) => setTimeout(resolve, TOKEN_MS));
        onPieces([piece]);
        written += piece.text;
      }
      const reason = stopped ? 'cancelled' : 'stop';
      return { reason, text: written, context_left: CONTEXT - 2 * tokens.length };
    };
    return {
      done: write(),
      stop: () => {
        stopped = true;
      },
    };
  },
};
