/** Commands that have nothing to do with the run of this worker: about open models, and of ranks. */
import {
  type Command,
  isModelCommand,
  isRankCommand,
  type ModelCommand,
  type RankCommand,
} from '../protocol/index.ts';
import { ModelRequests, type ModelRequestsContext } from './model_requests.ts';
import { RankRequests } from './rank_requests.ts';
import type { RankSessionContext } from './ranks/rank_session.ts';

export class SideCommands {
  readonly #models: ModelRequests;
  readonly #ranks: RankRequests;

  constructor(context: ModelRequestsContext & RankSessionContext) {
    this.#models = new ModelRequests(context);
    this.#ranks = new RankRequests(context);
  }

  /** Executes the command if it is one of these. */
  takes(command: Command): command is ModelCommand | RankCommand {
    if (isModelCommand(command)) this.#models.route(command);
    else if (isRankCommand(command)) this.#ranks.route(command);
    else return false;
    return true;
  }

  /** Ends a chat or an evaluation, if it is one of open models. */
  stop(id: number): void {
    this.#models.stop(id);
  }
}
