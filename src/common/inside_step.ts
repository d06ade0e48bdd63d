/** The latest batch of a stage, token by token: what the loss does to each of them. */

/** Quantities of one token; absent where the objective has none. Log-probabilities in nats. */
export interface TokenFigures {
  /** 1 if the loss counts the token. */
  mask: number;
  logp?: number;
  old_logp?: number;
  ref_logp?: number;
  /** exp(logp - old_logp). */
  ratio?: number;
  /** The ratio was clipped, so the token has no gradient. */
  clipped?: boolean;
  kl?: number;
  advantage?: number;
  value?: number;
  return?: number;
  reward?: number;
}

export interface InspectedToken extends TokenFigures {
  id: number;
}

/** One row: a completion, or one answer of a pair. The prompt's tokens come first, with mask 0. */
export interface InspectedRow {
  /** Rows that belong together: the pair, or the group of answers to one prompt. */
  group: number;
  /** What the row is, such as `chosen` or `answer 3`. */
  label: string;
  tokens: readonly InspectedToken[];
  /** Of the whole answer, by name. */
  rewards?: Readonly<Record<string, number>>;
  advantage?: number;
  /** Every answer of the group has the same reward, so that the group teaches nothing. */
  no_signal?: boolean;
}

export interface InspectedStep {
  objective: string;
  step: number;
  rows: readonly InspectedRow[];
}

/** A token with its text, as the page gets it. */
export interface ShownToken extends InspectedToken {
  text: string;
}
export interface ShownStep extends Omit<InspectedStep, 'rows'> {
  rows: readonly (Omit<InspectedRow, 'tokens'> & { tokens: readonly ShownToken[] })[];
}

/** One answer of a rollout, as `rollouts.jsonl` keeps it (TRL's completions table). */
export interface RolloutRecord {
  step: number;
  prompt: string;
  completion: string;
  /** By name; `reward` is the weighted sum. */
  rewards: Readonly<Record<string, number>>;
  advantage: number | null;
  ended: boolean;
  completion_ids: readonly number[];
  /** Log-probability of each id when it was sampled. */
  old_logps: readonly number[];
}
