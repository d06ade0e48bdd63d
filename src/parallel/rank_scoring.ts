/**
 * The programs that an objective's source calls while it makes batches, shared out over the ranks.
 * Every rank runs the same source over the whole batch, so rewards, advantages and their statistics
 * are those of one rank; a program computes only the rows of its rank, and all ranks get all values.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Program, readback, submitWithBoundaries } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import { type ParameterSource, tokenLogps, valueProgram, writeInputs } from '../model/index.ts';
import type { ObjectivePrograms } from '../objectives/index.ts';
import type { Rollout, RolloutRequest } from '../rollout/index.ts';
import { joined } from './data.ts';
import { prepareFor } from './prepare.ts';
import type { RankParts } from './rank_parts.ts';
import { rowsOfRank } from './rows.ts';
import { SharedRollouts } from './shared_rollouts.ts';
import { now } from './transport/link.ts';

interface ScoringProgram {
  program: Program;
  /** Without replay, outputs exist only after the run. */
  values: () => Tensor;
}

export class RankScoring implements ObjectivePrograms {
  readonly #parts: RankParts;
  readonly #rollouts: SharedRollouts;
  /** Compiled when they are first called. */
  readonly #programs = new Map<string, Promise<ScoringProgram>>();
  #bytes = 0;

  constructor(parts: RankParts) {
    this.#parts = parts;
    this.#rollouts = new SharedRollouts(parts);
  }

  /** Bytes of the programs that have been compiled, and of the caches of rollouts. */
  get ownBytes(): number {
    return this.#bytes + this.#rollouts.bytes;
  }

  logps(batch: Batch): Promise<Float32Array> {
    const { weights } = this.#parts.stores;
    return this.#run('log-probabilities', batch, () => this.#tokenLogps(weights));
  }

  referenceLogps(batch: Batch): Promise<Float32Array> {
    const { reference } = this.#parts;
    if (!reference) return Promise.reject(new Error('This objective has no reference weights.'));
    return this.#run('reference', batch, () => this.#tokenLogps(reference));
  }

  run(name: string, batch: Batch): Promise<Float32Array> {
    return this.#run(`values ${name}`, batch, () => this.#named(name));
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
      compiled.then(({ program }) => program.dispose()).catch(() => undefined);
    }
  }

  async #run(
    what: string,
    batch: Batch,
    compile: () => Promise<ScoringProgram>,
  ): Promise<Float32Array> {
    const { program, values } = await this.#compiled(what, compile);
    const { stores, mesh, place, groups, recorder } = this.#parts;
    const own = rowsOfRank(batch, place.dp, mesh.dp);
    const start = now();
    writeInputs(stores.inputs, prepareFor(stores, own), { seed: 0, step: 0 });
    await submitWithBoundaries([program]);
    const [read] = await readback([values()]);
    recorder.span({ kind: 'compute', what, start, end: now() });
    const parts = await groups.dp.allGather(Float32Array.from(read ?? []), what);
    return joined(parts.map((part) => Float32Array.from(part)));
  }

  #compiled(what: string, compile: () => Promise<ScoringProgram>): Promise<ScoringProgram> {
    const known = this.#programs.get(what);
    if (known) return known;
    const compiled = compile().then((made) => {
      this.#bytes += made.program.ownBytes;
      return made;
    });
    this.#programs.set(what, compiled);
    return compiled;
  }

  async #tokenLogps(weights: ParameterSource): Promise<ScoringProgram> {
    const program = await tokenLogps(this.#parts.stores, weights);
    return { program, values: () => program.outputs.logps };
  }

  async #named(name: string): Promise<ScoringProgram> {
    const { stores, objective, setting, reference } = this.#parts;
    const trace = objective.programs[name];
    if (!trace) throw new Error(`The objective ${objective.name} has no program ${name}.`);
    const program = await valueProgram(stores, { name, reference }, (context) =>
      trace(context, setting),
    );
    return { program, values: () => program.outputs.values };
  }
}
