/** Routes commands for a rank of a parallel run; what executes them is loaded with the first one. */
import type { PlainError, RankCommand } from '../protocol/index.ts';
import { DeviceLost, plainError } from './plain_errors.ts';
import type { RankSession, RankSessionContext } from './ranks/rank_session.ts';

export class RankRequests {
  readonly #context: RankSessionContext;
  #session: Promise<RankSession> | null = null;

  constructor(context: RankSessionContext) {
    this.#context = context;
  }

  route(command: RankCommand): void {
    void this.#execute(command);
  }

  /** Never rejects. */
  async #execute(command: RankCommand): Promise<void> {
    const { emit } = this.#context;
    try {
      this.#session ??= import('./ranks/rank_session.ts').then(
        ({ RankSession }) => new RankSession(this.#context),
      );
      await (await this.#session).execute(command);
    } catch (error) {
      console.error(error);
      const answered = 'id' in command ? { id: command.id } : {};
      emit({ type: 'error', ...answered, error: await rankError(error) });
    }
  }
}

/** Ranks are not opened again by themselves: the others would have to wait, and hold as much memory. */
const LOST_HINTS = {
  gpu: 'All ranks share one GPU: take fewer ranks, a smaller model or batch, or the processor under Device.',
  processor: 'Take fewer ranks, or close other tabs.',
} as const;

async function rankError(error: unknown): Promise<PlainError> {
  const [{ RankLost, ReducerStopped }, { CannotOpenRank }] = await Promise.all([
    import('../parallel/index.ts'),
    import('./ranks/cannot_open_rank.ts'),
  ]);
  if (error instanceof RankLost || error instanceof ReducerStopped) {
    const code = error instanceof RankLost ? 'rank_lost' : 'reducer_stopped';
    const hint = 'Start the ranks again; what was saved is complete.';
    return { code, message: error.message, hint };
  }
  if (error instanceof DeviceLost) return { ...plainError(error), hint: LOST_HINTS[error.what] };
  // A mesh that the model or the batch cannot be divided by: the sentence says what to set.
  if (error instanceof RangeError) {
    return { code: 'mesh', message: error.message, hint: 'Then start the ranks again.' };
  }
  if (error instanceof CannotOpenRank) {
    const { message, hint } = error;
    return { code: 'rank_refused', message, hint };
  }
  return plainError(error);
}
