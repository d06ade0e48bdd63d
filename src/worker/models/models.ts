/** The checkpoints that are open in this worker, and requests about them. */
import type {
  Event,
  OpenModelCommand,
  OpenModelRequest,
  ScoreCommand,
} from '../../protocol/index.ts';
import type { Device } from '../device.ts';
import type { StorageContext } from '../run_parts.ts';
import { DeviceLost } from '../plain_errors.ts';
import { breathe } from '../../train/index.ts';
import { chat } from './chat.ts';
import { Evaluation, noReward } from './evaluate.ts';
import { ModelRefusal } from './model_refusal.ts';
import { OpenModel, readModel } from './open_model.ts';

export interface ModelsContext extends StorageContext {
  readonly device: Device;
  /** The current run, if any: its device is used as it is. */
  readonly run: object | null;
}

export class Models {
  readonly #context: ModelsContext;
  readonly #open = new Map<string, OpenModel>();
  /** Ids of chats and evaluations that the page has stopped. */
  readonly #stopped = new Set<number>();

  constructor(context: ModelsContext) {
    this.#context = context;
  }

  /** Ends a chat, or an evaluation. */
  stop(id: number): void {
    this.#stopped.add(id);
  }

  /**
   * Carries the request out. Throws ModelRefusal, CheckpointError, DataError, DeviceLost and what the
   * device throws.
   */
  async answer(request: OpenModelRequest): Promise<Event> {
    try {
      return await this.#answer(request);
    } catch (error) {
      if (error instanceof DeviceLost) this.#forgetAll();
      throw error;
    } finally {
      this.#stopped.delete(request.id);
    }
  }

  async #answer(request: OpenModelRequest): Promise<Event> {
    const { id } = request;
    switch (request.type) {
      case 'open_model': {
        const { model } = request;
        const opened = await this.#openModel(request);
        return { type: 'model_opened', id, opened: opened.opened(model) };
      }
      case 'close_model':
        await this.#close(request.model);
        return { type: 'model_closed', id, model: request.model };
      case 'chat': {
        const { emit } = this.#context;
        const stopped = (): boolean => this.#stopped.has(id);
        const model = this.#modelOf(request.model);
        return this.#with([model], () => chat(model, request, { emit, stopped }));
      }
      case 'evaluate': {
        const { parent, reward_model } = request;
        const model = this.#modelOf(request.model);
        const compared = parent === undefined ? null : this.#modelOf(parent);
        const judge = reward_model === undefined ? null : this.#modelOf(reward_model);
        const involved = [model, compared, judge].filter((one) => one !== null);
        const evaluation = new Evaluation(request, {
          model,
          parent: compared,
          reward_model: judge,
          context: this.#context,
          stopped: () => this.#stopped.has(id),
        });
        const records = await this.#with(involved, () => evaluation.run());
        return { type: 'evaluated', id, records };
      }
      case 'score':
        return { type: 'scores', id, scores: await this.#score(request) };
      default:
        return request satisfies never;
    }
  }

  async #openModel({ model: name, source, backend, dtype }: OpenModelCommand): Promise<OpenModel> {
    const files = await readModel(this.#context, source);
    await this.#close(name);
    const { device, run } = this.#context;
    const isBusy = run !== null || this.#open.size > 0;
    await device.open(isBusy && device.info ? device.info.backend : backend);
    const opened = await device.orLost(OpenModel.create(files, dtype));
    this.#open.set(name, opened);
    return opened;
  }

  /** Waits for the work that uses the model. */
  async #close(name: string): Promise<void> {
    const model = this.#open.get(name);
    if (!model) return;
    this.#open.delete(name);
    await OpenModel.exclusively([model], async () => model.dispose());
  }

  async #score({ model: name, prompt, answers }: ScoreCommand): Promise<number[]> {
    const model = this.#modelOf(name);
    const { chat: format } = model;
    if (!model.isReward || !format) throw noReward(model);
    const rows = answers.map((answer) => format.encodeAnswer(prompt, answer).ids);
    const longest = Math.max(0, ...rows.map(({ length }) => length));
    if (longest > model.model.block_size) throw answerTooLong(model, longest);
    return this.#with([model], () => model.scorer.scores(rows, breathe));
  }

  #with<T>(models: readonly OpenModel[], work: () => Promise<T>): Promise<T> {
    const { device } = this.#context;
    return OpenModel.exclusively(models, () => device.orLost(work()));
  }

  #modelOf(name: string): OpenModel {
    const model = this.#open.get(name);
    if (model) return model;
    throw new ModelRefusal(
      'model_closed',
      'This model is not open any more.',
      'Open it again from the list of models.',
    );
  }

  /** The device is gone, and the weights of all models with it. */
  #forgetAll(): void {
    const models = [...this.#open];
    this.#open.clear();
    for (const [, model] of models) {
      try {
        model.dispose();
      } catch {
        // The buffers were lost with the device.
      }
    }
    const names = models.map(([name]) => name);
    if (names.length > 0) this.#context.emit({ type: 'models_lost', models: names });
  }
}

const answerTooLong = ({ checkpoint, model }: OpenModel, tokens: number): ModelRefusal =>
  new ModelRefusal(
    'context_full',
    `Prompt and answer have ${tokens} tokens, and “${checkpoint.name}” reads at most ${model.block_size}.`,
    'Shorten the prompt or the answer.',
  );
