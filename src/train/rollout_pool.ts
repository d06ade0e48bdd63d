/** The rollouts of a run: programs of one size, replaced when a request needs a larger one. */
import type { StageData } from '../data/index.ts';
import type { ModelStores } from '../model/index.ts';
import type { Rollout, RolloutRequest, Rollouts, RolloutSizes } from '../rollout/index.ts';

/** More answers than this are made one batch after the other. */
const MAX_ROWS = 256;

/** What answers are sampled from. */
type PooledModel = Pick<ModelStores, 'model' | 'weights' | 'rotary'>;

export class RolloutPool {
  readonly #stores: PooledModel;
  /** Longest prompt of the data, so that the programs fit every request. */
  readonly #prompt_length: number;
  #current: Rollouts | null = null;

  constructor(stores: PooledModel, data: StageData | null) {
    this.#stores = stores;
    const prompts = [...(data?.prompts.train ?? []), ...(data?.prompts.val ?? [])];
    this.#prompt_length = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 1);
  }

  /** See `Rollouts.generate`. One call at a time. */
  async generate(request: RolloutRequest): Promise<Rollout[]> {
    if (request.prompts.length === 0) return [];
    const rollouts = await this.#fitting(request);
    return rollouts.generate(request);
  }

  /** Bytes of the current programs and their caches. */
  get bytes(): number {
    return this.#current?.bytes ?? 0;
  }

  /** Bytes of the scratch that all programs share. */
  get scratchBytes(): number {
    return this.#current?.scratchBytes ?? 0;
  }

  dispose(): void {
    this.#current?.dispose();
    this.#current = null;
  }

  async #fitting({ prompts, max_new_tokens }: RolloutRequest): Promise<Rollouts> {
    const needed: RolloutSizes = {
      rows: Math.min(MAX_ROWS, prompts.length),
      prompt_length: prompts.reduce((most, ids) => Math.max(most, ids.length), this.#prompt_length),
      max_new_tokens,
    };
    const current = this.#current;
    if (current && fits(needed, current.sizes)) return current;
    this.dispose();
    const { Rollouts } = await import('../rollout/index.ts');
    const { model, weights, rotary } = this.#stores;
    const sizes = current ? larger(needed, current.sizes) : needed;
    return (this.#current = await Rollouts.create({ model, weights, rotary }, sizes));
  }
}

const fits = (needed: RolloutSizes, sizes: RolloutSizes): boolean =>
  needed.rows <= sizes.rows &&
  needed.prompt_length <= sizes.prompt_length &&
  needed.max_new_tokens <= sizes.max_new_tokens;

const larger = (a: RolloutSizes, b: RolloutSizes): RolloutSizes => ({
  rows: Math.max(a.rows, b.rows),
  prompt_length: Math.max(a.prompt_length, b.prompt_length),
  max_new_tokens: Math.max(a.max_new_tokens, b.max_new_tokens),
});
