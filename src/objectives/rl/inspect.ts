/** Answers of a step, token by token, and as records for `rollouts.jsonl`. */
import type {
  InspectedRow,
  InspectedStep,
  InspectedToken,
  RolloutRecord,
} from '../../common/index.ts';
import type { StageData } from '../../data/index.ts';
import type { SourceContext } from '../objective.ts';
import { sampleStd } from './advantages.ts';
import { type AnswerRow, inGroups } from './answer_rows.ts';
import { valuesOfAnswers } from './policy.ts';

interface Inspected {
  row: AnswerRow;
  /** Index of the group, and of the answer in it. */
  group: number;
  answer: number;
  /** Log-probability of each token of the answer under the current weights. */
  logps: Float32Array;
  /** Ratios outside are clipped. */
  limits: { low: number; high: number };
  /** Undefined for an answer that has no group. */
  no_signal: boolean | undefined;
}

/** Names of `AnswerRow.tokens` and of the figures that show them. */
const FIGURES = [
  ['advantages', 'advantage'],
  ['ref_logps', 'ref_logp'],
  ['old_values', 'value'],
  ['returns', 'return'],
  ['rewards', 'reward'],
] as const;

function inspectedRow(inspected: Inspected): InspectedRow {
  const { row, group, answer, no_signal } = inspected;
  const prompt = Array.from(row.prompt_ids, (id): InspectedToken => ({ id, mask: 0 }));
  const tokens = Array.from(row.ids, (id, i) => answerToken(inspected, id, i));
  const shown: InspectedRow = {
    group,
    label: `answer ${answer + 1}`,
    tokens: [...prompt, ...tokens],
    rewards: row.rewards,
  };
  if (no_signal === undefined) return shown;
  return { ...shown, advantage: row.tokens.advantages?.[0] ?? 0, no_signal };
}

function answerToken({ row, logps, limits }: Inspected, id: number, i: number): InspectedToken {
  const logp = logps[i] ?? NaN;
  const old_logp = row.logps[i] ?? NaN;
  const ratio = Math.exp(logp - old_logp);
  const token: InspectedToken = { id, mask: 1, logp, old_logp, ratio };
  for (const [name, figure] of FIGURES) {
    const value = row.tokens[name]?.[i];
    if (value !== undefined) token[figure] = value;
  }
  const { advantage = 0, ref_logp } = token;
  token.clipped = (advantage < 0 && ratio < limits.low) || (advantage > 0 && ratio > limits.high);
  if (ref_logp !== undefined) token.kl = logp - ref_logp;
  return token;
}

export interface InspectOptions {
  objective: string;
  step: number;
  /** Answers to one prompt follow one another; 1 if a prompt has one answer. */
  group_size: number;
  limits: Inspected['limits'];
  batch_size: number;
  block_size: number;
}

/**
 * The latest answers; null if there are none. Ratios compare the weights after the latest update
 * with those that sampled.
 */
export async function inspectedAnswers(
  context: SourceContext,
  rows: readonly AnswerRow[],
  { objective, step, group_size, limits, ...size }: InspectOptions,
): Promise<InspectedStep | null> {
  if (rows.length === 0) return null;
  const logps = await valuesOfAnswers(context, 'logps', { rows, ...size });
  const shown = inGroups(rows, group_size).flatMap((answers, group) => {
    const rewards = answers.map((row) => row.rewards.reward ?? NaN);
    const isGroup = group_size > 1;
    return answers.map((row, answer) =>
      inspectedRow({
        row,
        group,
        answer,
        logps: logps[group * group_size + answer] ?? new Float32Array(row.ids.length),
        limits,
        no_signal: isGroup ? sampleStd(rewards) === 0 : undefined,
      }),
    );
  });
  return { objective, step, rows: shown };
}

/** TRL's completions table. */
export function rolloutRecord(
  { chat }: StageData,
  row: AnswerRow,
  { step, advantage }: { step: number; advantage: number | null },
): RolloutRecord {
  return {
    step,
    prompt: chat.tokenizer.decode([...row.prompt_ids]),
    completion: chat.answerOf(row.ids).text,
    rewards: row.rewards,
    advantage,
    ended: row.ended,
    completion_ids: [...row.ids],
    old_logps: [...row.logps],
  };
}

/** Records that nobody takes are dropped from this many on, oldest first. */
const MOST_RECORDS = 2048;

/** Answers that were sampled and not taken yet. */
export class RolloutRecords {
  #records: RolloutRecord[] = [];

  add(records: readonly RolloutRecord[]): void {
    this.#records = [...this.#records, ...records].slice(-MOST_RECORDS);
  }

  take(): RolloutRecord[] {
    const taken = this.#records;
    this.#records = [];
    return taken;
  }
}
