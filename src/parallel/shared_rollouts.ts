/**
 * Samples answers to a batch of prompts on all ranks: each answers its share of the prompts, and all get
 * all answers. Random draws depend on the row in the whole batch, so N ranks sample what one would.
 */
import type { Rollout, RolloutRequest } from '../rollout/index.ts';
import { RolloutPool } from '../train/index.ts';
import type { Group } from './collectives.ts';
import { gatherModelWeights, wholeWeightsHere } from './model_weights.ts';
import type { RankParts } from './rank_parts.ts';
import { rangeOf } from './tensor_model.ts';
import { now, type Payload } from './transport/link.ts';

export class SharedRollouts {
  readonly #parts: RankParts;
  /** Samples with this rank's own weights; null if weights have to be gathered for each request. */
  readonly #pool: RolloutPool | null;
  #gathered = 0;
  #scratch = 0;

  constructor(parts: RankParts) {
    this.#parts = parts;
    const weights = wholeWeightsHere(parts);
    const { rotary, model } = parts.stores;
    this.#pool = weights && new RolloutPool({ model, weights, rotary }, parts.setting.data);
  }

  /** See `Rollouts.generate`. All ranks call it together, with the same request. */
  async generate(request: RolloutRequest): Promise<Rollout[]> {
    const { world } = this.#parts.groups;
    const { prompts, first_row = 0 } = request;
    const share = rangeOf(prompts.length, { index: world.index, tp: world.size });
    const own = await this.#sample({
      ...request,
      prompts: prompts.slice(share.start, share.end),
      first_row: first_row + share.start,
    });
    return gatherRollouts(world, own);
  }

  /** Bytes that are kept between requests. */
  get bytes(): number {
    return this.#pool?.bytes ?? 0;
  }
  /** Largest number of bytes that existed only during a request. */
  get gatheredBytes(): number {
    return this.#gathered;
  }
  /** Largest number of bytes of shared scratch that a request has used. */
  get scratchBytes(): number {
    return this.#scratch;
  }

  dispose(): void {
    this.#pool?.dispose();
  }

  async #sample(request: RolloutRequest): Promise<Rollout[]> {
    const { recorder } = this.#parts;
    const generate = async (pool: RolloutPool): Promise<Rollout[]> => {
      const start = now();
      const sampled = await pool.generate(request);
      this.#scratch = Math.max(this.#scratch, pool.scratchBytes);
      recorder.span({ kind: 'compute', what: 'rollouts', start, end: now() });
      return sampled;
    };
    if (this.#pool) return generate(this.#pool);
    const weights = await gatherModelWeights(this.#parts);
    const { model, stores, setting } = this.#parts;
    const pool = new RolloutPool({ model, weights, rotary: stores.rotary }, setting.data);
    try {
      return await generate(pool);
    } finally {
      this.#gathered = Math.max(this.#gathered, (weights.frozen?.bytes ?? 0) + pool.bytes);
      pool.dispose();
      weights.dispose();
    }
  }
}

/** The answers of all ranks, in the order of the ranks. */
async function gatherRollouts(world: Group, own: readonly Rollout[]): Promise<Rollout[]> {
  const outline = Int32Array.from(own.flatMap(({ ids, ended }) => [ids.length, Number(ended)]));
  const ids = Int32Array.from(own.flatMap((rollout) => Array.from(rollout.ids)));
  const logps = Float32Array.from(own.flatMap((rollout) => Array.from(rollout.logps)));
  const [outlines, allIds, allLogps] = await Promise.all([
    world.allGather(outline, 'rollouts'),
    world.allGather(ids, 'rollout ids'),
    world.allGather(logps, 'rollout logps'),
  ]);
  return outlines.flatMap((part, rank) => rolloutsOf(part, allIds[rank], allLogps[rank]));
}

/** `outline` has two numbers for each answer: of its tokens, and 1 if it ended by itself. */
function rolloutsOf(
  outline: Payload,
  ids: Payload | undefined,
  logps: Payload | undefined,
): Rollout[] {
  let start = 0;
  return Array.from({ length: outline.length / 2 }, (_, row): Rollout => {
    const end = start + (outline[2 * row] ?? 0);
    const rollout = {
      ids: Int32Array.from(ids?.subarray(start, end) ?? []),
      logps: Float32Array.from(logps?.subarray(start, end) ?? []),
      ended: outline[2 * row + 1] === 1,
    };
    start = end;
    return rollout;
  });
}
