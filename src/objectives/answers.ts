/** Answers of the current weights to held-out prompts: what an evaluation of a stage measures. */
import type { Metric, Chart, MetricRow } from '../common/index.ts';
import type { Answer, EncodedPrompt, StageData } from '../data/index.ts';
import { type ObjectivePrograms, type SourceContext, stageOf } from './objective.ts';

/** Metrics and chart of held-out answers, for every objective whose data has prompts. */
export const ANSWER_METRICS: readonly Metric[] = [
  {
    name: 'val/exact_match',
    unit: 'share',
    series: { chart: 'answers', label: 'right', colour: 'val', kind: 'points', smooth: false },
    reduction: 'last',
    help: 'Share of held-out prompts whose answer code found right.',
  },
  {
    name: 'val/ends',
    unit: 'share',
    series: {
      chart: 'answers',
      label: 'ends by itself',
      colour: 'lr',
      kind: 'points',
      smooth: false,
    },
    reduction: 'last',
    help: 'Share of answers to held-out prompts that ended with the end token.',
  },
  {
    name: 'val/well_formed',
    unit: 'share',
    series: {
      chart: 'answers',
      label: 'well formed',
      colour: 'grad',
      kind: 'points',
      smooth: false,
    },
    reduction: 'last',
    help: 'Share of answers to held-out prompts that have the form of the task, right or wrong.',
  },
];

/** Beside ANSWER_METRICS, for objectives that learn a preference whose truth is known. */
export const TRUE_REWARD_METRIC: Metric = {
  name: 'val/true_reward',
  unit: '',
  series: {
    chart: 'true_reward',
    label: 'true reward',
    colour: 'val',
    kind: 'points',
    smooth: false,
  },
  reduction: 'last',
  help: 'Mean true reward of answers to held-out prompts, as code computes it.',
};

export const TRUE_REWARD_CHART: Chart = {
  id: 'true_reward',
  title: 'True reward',
  help: 'Code knows what the generated preference prefers, and scores the model’s own answers by it.',
  unit: 'of held-out answers',
  format: 'number',
};

export const ANSWER_CHARTS: readonly Chart[] = [
  {
    id: 'answers',
    title: 'Held-out answers',
    help: 'The model answers prompts that it never trained on, and code checks the answers.',
    unit: 'share of answers',
    format: 'percent',
    floor: 0,
  },
];

export interface AnswerOptions {
  prompts: readonly EncodedPrompt[];
  programs: ObjectivePrograms;
  data: StageData;
  max_new_tokens: number;
  /** 0 takes the likeliest token. */
  temperature: number;
  seed: number;
}

export interface CheckedAnswer {
  prompt: EncodedPrompt;
  answer: Answer;
  /** By the name of the reward. */
  rewards: Readonly<Record<string, number>>;
  ids: Int32Array;
  /** Log-probability of each token at the temperature that it was sampled at. */
  logps: Float32Array;
}

/** Answers the prompts, all at once, and checks the answers. */
export async function answerPrompts(options: AnswerOptions): Promise<CheckedAnswer[]> {
  const { prompts, programs, data, max_new_tokens, temperature, seed } = options;
  const { chat, rewards } = data;
  const rollouts = await programs.rollouts({
    prompts: prompts.map(({ ids }) => [...ids]),
    seed,
    temperature,
    max_new_tokens,
    stop_id: chat.eos_token_id,
    vocab_limit: chat.tokenizer.vocab_size,
  });
  return rollouts.map(({ ids, ended, logps }, i): CheckedAnswer => {
    const prompt = prompts[i];
    if (!prompt) throw new Error('There is an answer without a prompt.');
    const { text } = chat.answerOf(ids);
    const answer = { text, ended, tokens: ids.length, max_tokens: max_new_tokens };
    const scores = rewards.map((one) => [one.name, one.score(prompt.example, answer)] as const);
    return { prompt, answer, rewards: Object.fromEntries(scores), ids, logps };
  });
}

/** Metrics by the names of the rewards: `correct` is `val/exact_match`. */
const NAMES: Readonly<Record<string, string>> = {
  correct: 'val/exact_match',
  ends: 'val/ends',
  well_formed: 'val/well_formed',
};

/** The shares of answers that are right, end by themselves and are well formed. */
export function answerMetrics(answers: readonly CheckedAnswer[]): Partial<MetricRow> {
  const row: Partial<MetricRow> = {};
  for (const [reward, metric] of Object.entries(NAMES)) {
    const values = answers.map(({ rewards }) => rewards[reward] ?? NaN);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    if (Number.isFinite(mean)) row[metric] = mean;
  }
  return row;
}

/** Held-out prompts that an evaluation answers at most. */
const ANSWERED_PROMPTS = 1000;

/** Answers to held-out prompts with the sampling settings of the run. */
export function heldOutAnswers(
  context: SourceContext,
  temperature: number,
): Promise<CheckedAnswer[]> {
  const { data } = stageOf(context);
  const { programs } = context;
  const prompts = data.prompts.val.slice(0, ANSWERED_PROMPTS);
  if (prompts.length === 0) return Promise.resolve([]);
  const { max_new_tokens, sample_seed: seed } = context.config.sampling;
  return answerPrompts({ prompts, programs, data, max_new_tokens, temperature, seed });
}

/**
 * Metrics of the likeliest answers to held-out prompts, and their true reward where code knows it;
 * none without prompts or without code that checks the answers.
 */
export async function measureAnswers(context: SourceContext): Promise<Partial<MetricRow>> {
  const { data } = stageOf(context);
  if (data.rewards.length === 0) return {};
  return checkedMetrics(await heldOutAnswers(context, 0), data);
}

/** Metrics of answers as code checks them; none without answers. */
export function checkedMetrics(
  answers: readonly CheckedAnswer[],
  data: StageData,
): Partial<MetricRow> {
  if (answers.length === 0) return {};
  return { ...answerMetrics(answers), ...trueReward(answers, data) };
}

function trueReward(
  answers: readonly CheckedAnswer[],
  { true_reward }: StageData,
): Partial<MetricRow> {
  if (!true_reward) return {};
  const rewards = answers.map(({ prompt, answer }) => true_reward.score(prompt.example, answer));
  return { 'val/true_reward': rewards.reduce((sum, one) => sum + one, 0) / rewards.length };
}
