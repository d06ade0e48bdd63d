/** Routes commands for a rank of a parallel run; what executes them is loaded with the first one. */
import type { PlainError, RankCommand } from '../protocol/index.ts';
import { plainError } from './plain_errors.ts';
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
      emit({ type: 'error', ...answered, error: await sentenceOf(error) });
    }
  }
}

/** Without a network, the module with the sentences of ranks may be missing. */
async function sentenceOf(error: unknown): Promise<PlainError> {
  try {
    const { rankError } = await import('./ranks/rank_error.ts');
    return rankError(error);
  } catch {
    return plainError(error);
  }
}
