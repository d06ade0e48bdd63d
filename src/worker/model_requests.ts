/**
 * Routes commands about open models and about what runs gather. What executes them is loaded with
 * the first one. Each request is answered by one event, or by an error with its id.
 */
import type { Event, ModelCommand, ModelRequest, OpenModelRequest } from '../protocol/index.ts';
import type { ActiveRun } from './active_run.ts';
import type { Device } from './device.ts';
import type { Models } from './models/models.ts';
import { plainError } from './plain_errors.ts';
import type { StorageContext } from './run_parts.ts';

export interface ModelRequestsContext extends StorageContext {
  readonly device: Device;
  readonly run: ActiveRun | null;
}

export class ModelRequests {
  readonly #context: ModelRequestsContext;
  #models: Promise<Models> | null = null;

  constructor(context: ModelRequestsContext) {
    this.#context = context;
  }

  route(command: ModelCommand): void {
    if (command.type === 'cancel_evaluation') this.stop(command.job);
    else void this.#reply(command);
  }

  /** Ends a chat or an evaluation, if it is one of open models. */
  stop(id: number): void {
    void this.#models?.then((models) => models.stop(id));
  }

  /** Never rejects. */
  async #reply(request: ModelRequest): Promise<void> {
    const { emit } = this.#context;
    try {
      emit(await this.#answer(request));
    } catch (error) {
      console.error(error);
      emit({ type: 'error', id: request.id, error: plainError(error) });
    }
  }

  async #answer(request: ModelRequest): Promise<Event> {
    switch (request.type) {
      case 'open_model':
      case 'close_model':
      case 'chat':
      case 'evaluate':
      case 'score':
        return this.#answerOfModels(request);
      case 'vote':
      case 'undo_vote':
      case 'read_votes':
      case 'read_rollouts':
      case 'read_evaluations':
      case 'draw_prompts':
      case 'inspect': {
        const { answerRecords } = await import('./models/records.ts');
        return answerRecords(this.#context, request);
      }
      case 'train_round':
      case 'end_rounds':
      case 'keep_pool':
      case 'read_pool': {
        const { answerPool } = await import('./pool.ts');
        return answerPool(this.#context, request);
      }
      default:
        return request satisfies never;
    }
  }

  async #answerOfModels(request: OpenModelRequest): Promise<Event> {
    this.#models ??= import('./models/models.ts').then(({ Models }) => new Models(this.#context));
    return (await this.#models).answer(request);
  }
}
