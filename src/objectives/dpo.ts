/**
 * Direct preference optimization (Rafailov et al. 2023; TRL's DPOTrainer). The chosen answer shall
 * become likelier than the rejected one, compared with a frozen reference:
 *
 *     loss = -log sigmoid(beta (log pi(c)/ref(c) - log pi(r)/ref(r)))
 *
 * or one of its variants (ops/preference_loss/losses.ts), plus an SFT loss on the chosen answer.
 */
import type { Batch, InspectedStep } from '../common/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { EncodedPair } from '../data/index.ts';
import type { PairBatch } from '../data/stages/batches.ts';
import type { LossContext, TracedLoss } from '../model/index.ts';
import { PREFERENCE_STATISTICS, preferenceLoss, sequenceLogps } from '../ops/alignment.ts';
import { measureDpo } from './dpo_measure.ts';
import { DPO_CHARTS, DPO_METRICS } from './dpo_metrics.ts';
import { lossesAndEntropy, measuredEntropy } from './entropy.ts';
import {
  defineObjective,
  type ObjectivePrograms,
  type ObjectiveSetting,
  prefixed,
  REFERENCE,
  type Source,
  type SourceContext,
  stageOf,
  type Sums,
} from './objective.ts';
import {
  countPairs,
  inspectedPairs,
  ofPairs,
  pairHealth,
  pairRows,
  pairShape,
  perPair,
  perRow,
  withExtra,
} from './pairs.ts';
import { logpsAt } from './rl/policy.ts';
import { partSums } from './rl/sums.ts';

/** The entropy is summed over the answers' tokens, which are counted beside it. */
const SUMS = [...PREFERENCE_STATISTICS, 'entropy', 'tokens'] as const;

export const dpo = defineObjective({
  name: 'dpo',
  data: 'pairs',
  sums: SUMS,
  metrics: DPO_METRICS,
  charts: DPO_CHARTS,
  loss,
  dropout: (setting) => !stageOf(setting).stage.dpo.disable_dropout,
  reference: () => true,
  programs: {
    ref_logps: {
      model: REFERENCE,
      values: (context, { config }) => logpsAt(context, config.sampling.temperature),
    },
  },
  shape: pairShape,
  inputs: ({ batch_size }) => [
    perRow('ref_logps', batch_size),
    perPair('sft_weights', batch_size),
    perPair('pair_weights', batch_size),
  ],
  health: pairHealth,
  stepMetrics: (sums) => prefixed('train', perToken(sums)),
  evaluationMetrics: (sums) => prefixed('val', perToken(sums)),
  source,
});

function loss(context: LossContext, setting: ObjectiveSetting): TracedLoss {
  const { forward, hidden, logits_chunk } = context;
  const { tape, inputs, batch_size: B, block_size: T } = forward;
  const { beta, loss_type, label_smoothing } = stageOf(setting).stage.dpo;
  const { loss: nll, entropy, ...unread } = lossesAndEntropy(forward, hidden, logits_chunk);
  const mask = inputs.get('weights');
  const { sums: nlls, counts } = tape.apply(sequenceLogps, { logps: nll, weights: mask }, { B, T });
  const { loss: values, statistics } = tape.apply(
    preferenceLoss,
    { nlls, counts, ref_logps: inputs.get('ref_logps'), sft_weights: inputs.get('sft_weights') },
    { loss_type, beta, label_smoothing },
  );
  const weights = inputs.get('pair_weights');
  const parts = [
    { weights, values: statistics },
    { weights: mask, values: entropy },
    // The mask is 0 or 1, so this counts the tokens.
    { weights: mask, values: mask },
  ];
  const inner = [nll, nlls, counts, entropy, ...Object.values(unread)];
  return {
    loss: values,
    weights,
    sums: partSums(parts, SUMS.length),
    statistics: [statistics, ...inner],
  };
}

/** The mean entropy of the answers' tokens instead of its sum. */
function perToken({ entropy = NaN, tokens = NaN, ...sums }: Sums): Sums {
  return measuredEntropy({ ...sums, entropy: entropy / tokens });
}

function source(context: SourceContext): Source {
  const { stage } = stageOf(context);
  const { programs } = context;
  const rows = pairRows(context);
  const reference = new ReferenceLogps(programs);
  let latest: { step: number; groups: readonly PairBatch[] } | null = null;

  function batchesOf(groups: readonly PairBatch[]): readonly Batch[] | Promise<readonly Batch[]> {
    const ready = (): Batch[] => dpoBatches(groups, reference, stage.dpo);
    return reference.has(groups) ? ready() : reference.add(groups).then(ready);
  }

  async function inspect(): Promise<InspectedStep | null> {
    if (!latest) return null;
    const { step, groups } = latest;
    const shown: InspectedStep['rows'][number][] = [];
    for (const group of groups) {
      const logps = await programs.logps(group.batch);
      const ref_logps = await programs.referenceLogps(group.batch);
      const ratios = logps.map((logp, i) => logp - (ref_logps[i] ?? NaN));
      const rewards = rowSums(group.batch, ratios).map((ratio) => stage.dpo.beta * ratio);
      shown.push(...inspectedPairs(group, rewards, { logps, ref_logps }));
    }
    return { objective: 'dpo', step, rows: shown };
  }

  return {
    step: (step) => {
      const groups = rows.step(step);
      latest = { step, groups };
      return batchesOf(groups);
    },
    evaluation: () => batchesOf(rows.evaluation),
    measure: () => measureDpo(context),
    inspect,
  };
}

/**
 * Log-probabilities of both answers of a pair under the reference. They never change, so each pair
 * is computed once (TRL's `precompute_ref_log_probs`, spread over the first epoch).
 */
class ReferenceLogps {
  readonly #programs: Pick<ObjectivePrograms, 'referenceLogps'>;
  readonly #known = new Map<EncodedPair, readonly [chosen: number, rejected: number]>();

  constructor(programs: Pick<ObjectivePrograms, 'referenceLogps'>) {
    this.#programs = programs;
  }

  has(groups: readonly PairBatch[]): boolean {
    return groups.every((group) => this.#hasAll(group));
  }

  async add(groups: readonly PairBatch[]): Promise<void> {
    for (const group of groups) {
      if (this.#hasAll(group)) continue;
      const sums = rowSums(group.batch, await this.#programs.referenceLogps(group.batch));
      group.pairs.forEach((pair, p) => {
        this.#known.set(pair, [sums[2 * p] ?? NaN, sums[2 * p + 1] ?? NaN]);
      });
    }
  }

  /** One value per row; 0 for padding. */
  of({ batch, pairs }: PairBatch): Float32Array {
    const values = new Float32Array(batch.batch_size);
    values.set(pairs.flatMap((pair) => this.#known.get(pair) ?? [NaN, NaN]));
    return values;
  }

  #hasAll({ pairs }: PairBatch): boolean {
    return pairs.every((pair) => this.#known.has(pair));
  }
}

/** Sums over the tokens of each row that the loss counts. */
function rowSums({ batch_size, block_size, weights }: Batch, values: Float32Array): number[] {
  return Array.from({ length: batch_size }, (_, row) => {
    let sum = 0;
    for (let i = row * block_size; i < (row + 1) * block_size; i++) {
      const weight = weights[i] ?? 0;
      if (weight !== 0) sum += weight * (values[i] ?? NaN);
    }
    return sum;
  });
}

/**
 * Weights of pairs add up to 1 over all micro-batches, and so do those of the chosen answers' tokens
 * in the SFT term.
 */
function dpoBatches(
  groups: readonly PairBatch[],
  reference: ReferenceLogps,
  { sft_weight }: StageConfig['dpo'],
): Batch[] {
  const total = countPairs(groups);
  const tokens = groups.reduce((sum, group) => sum + chosenTokens(group), 0);
  // The loss of a pair is multiplied by its weight, 1 / total.
  const ofChosen = tokens > 0 ? (sft_weight * total) / tokens : 0;
  return groups.map((group) =>
    withExtra(group, {
      ref_logps: reference.of(group),
      sft_weights: ofPairs(group, () => ofChosen),
      pair_weights: ofPairs(group, () => 1 / total),
    }),
  );
}

/** Tokens of the chosen answers, which are in the even rows. */
function chosenTokens({ batch }: PairBatch): number {
  const { block_size, weights } = batch;
  return weights.reduce((sum, weight, i) => {
    const isChosen = Math.floor(i / block_size) % 2 === 0;
    return isChosen ? sum + weight : sum;
  }, 0);
}
