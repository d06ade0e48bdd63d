/**
 * The programs that an objective's source calls while it makes batches, split over the ranks. Every rank
 * runs the same source over the whole batch, so rewards, advantages and their statistics equal those
 * of one rank. Only the programs are split: each rank computes its own rows, and all gather all values.
 */
import type { Batch, RankMemory } from '../common/index.ts';
import type { ObjectivePrograms } from '../objectives/index.ts';
import type { Rollout, RolloutRequest } from '../rollout/index.ts';
import { concatenate } from './concatenate.ts';
import type { RankParts } from './rank_parts.ts';
import { rowsOfRank } from './rows.ts';
import { logpsProgram, namedProgram, type ScoringProgram } from './scoring_programs.ts';
import { SharedRollouts } from './shared_rollouts.ts';
import { now } from './transport/link.ts';

export class RankScoring implements ObjectivePrograms {
  readonly #parts: RankParts;
  readonly #rollouts: SharedRollouts;
  /** By name; each is compiled when it is first called. */
  readonly #programs = new Map<string, Promise<ScoringProgram>>();
  #bytes = 0;
  #scratch = 0;

  constructor(parts: RankParts) {
    this.#parts = parts;
    this.#rollouts = new SharedRollouts(parts);
  }

  /** Bytes of the programs that have been compiled, without those of rollouts. */
  get ownBytes(): number {
    return this.#bytes;
  }
  /** Bytes of shared scratch that the largest program needs, without those of rollouts. */
  get scratchBytes(): number {
    return this.#scratch;
  }
  /**
   * Bytes of sampling: `rollouts` is kept between requests, and `gathered` exists during one.
   *
   * @param scratch bytes of shared scratch that the other programs of the rank need
   */
  rolloutMemory(scratch: number): Pick<RankMemory, 'rollouts' | 'gathered'> {
    const { bytes, gatheredBytes, scratchBytes } = this.#rollouts;
    const extraScratch = Math.max(0, scratchBytes - scratch);
    const poolIsKept = bytes > 0;
    return {
      rollouts: bytes + (poolIsKept ? extraScratch : 0),
      gathered: gatheredBytes + (poolIsKept ? 0 : extraScratch),
    };
  }

  logps(batch: Batch): Promise<Float32Array> {
    const { weights } = this.#parts.stores;
    return this.#run('log-probabilities', batch, (what) =>
      logpsProgram(this.#parts, what, weights),
    );
  }

  referenceLogps(batch: Batch): Promise<Float32Array> {
    const { reference } = this.#parts;
    if (!reference) return Promise.reject(new Error('This objective has no reference weights.'));
    return this.#run('reference', batch, (what) => logpsProgram(this.#parts, what, reference));
  }

  run(name: string, batch: Batch): Promise<Float32Array> {
    return this.#run(`values ${name}`, batch, () => namedProgram(this.#parts, name));
  }

  rollouts(request: RolloutRequest): Promise<Rollout[]> {
    return this.#rollouts.generate(request);
  }

  generation(): Promise<never> {
    return Promise.reject(new Error('Ranks sample answers, but generate no text.'));
  }

  dispose(): void {
    this.#rollouts.dispose();
    for (const compiled of this.#programs.values()) {
      // A failed compilation has been reported to the caller.
      compiled.then((program) => program.dispose()).catch(() => undefined);
    }
  }

  async #run(what: string, batch: Batch, compile: Compile): Promise<Float32Array> {
    const program = await this.#compiled(what, compile);
    const { mesh, place, groups, recorder } = this.#parts;
    const ownRows = rowsOfRank(batch, place.dp, mesh.dp);
    const start = now();
    const values = await program.run(ownRows);
    recorder.span({ kind: 'compute', what, start, end: now() });
    const parts = await groups.dp.allGather(values, what);
    return concatenate(parts);
  }

  #compiled(what: string, compile: Compile): Promise<ScoringProgram> {
    const existing = this.#programs.get(what);
    if (existing) return existing;
    const compiled = compile(what).then((program) => {
      this.#bytes += program.ownBytes;
      this.#scratch = Math.max(this.#scratch, program.scratchBytes);
      return program;
    });
    this.#programs.set(what, compiled);
    return compiled;
  }
}

type Compile = (what: string) => Promise<ScoringProgram>;
