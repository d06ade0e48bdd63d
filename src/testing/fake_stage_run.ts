/** What the scripted worker reports of a stage that trains: answers, metrics, and a batch. */
import type { Chart, Metric, RolloutRecord, ShownStep, ShownToken } from '../common/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { MetricColumns, Sample, TokenPiece } from '../protocol/index.ts';
import { seeded } from './fake_text.ts';

const ASKED = [
  { prompt: 'Where did Mia find the red kite?', wrong: 'In the kitchen.', right: 'By the river.' },
  {
    prompt: 'Who helped the old fisherman?',
    wrong: 'The the fox was',
    right: 'Tom helped the old fisherman.',
  },
  {
    prompt: 'Why was the hen sad?',
    wrong: 'Because it rained.',
    right: 'Because her egg was lost.',
  },
  {
    prompt: 'Tell a story about Anna, in the forest, with a happy ending.',
    wrong: 'One day a dog ran. He was big. He ran and ran and ran and ran',
    right: 'Anna went to the forest. She found a lost cub and brought it home. Everyone was glad.',
  },
];

const piecesOf = (text: string, random: () => number): TokenPiece[] =>
  [...text.matchAll(/\s?\w{1,5}|[^\w\s]/gu)].map(([piece]) => {
    const probability = 0.35 + 0.64 * random();
    return {
      id: piece.length,
      text: piece,
      probability,
      rivals: [
        { text: ' the', probability: (1 - probability) / 2 },
        { text: ' a', probability: (1 - probability) / 4 },
      ],
    };
  });

/** Held-out prompts and their answers, of which more are right the further the run is. */
export function stageSamples(step: number, progress: number): Sample[] {
  const random = seeded(step + 1);
  return ASKED.map(({ prompt, wrong, right }, index) => {
    const correct = progress > 0.2 * (index + 1) ? 1 : 0;
    const text = correct ? right : wrong;
    const ends = text.endsWith('.') ? 1 : 0;
    const rewards = { correct, ends };
    return { step, prompt, tokens: piecesOf(text, random), memorized: false, rewards };
  });
}

const line = (
  name: string,
  chart: string,
  label: string,
  colour: 'val' | 'grad' | 'lr',
): Metric => ({
  name,
  unit: '',
  series: { chart, label, colour, kind: 'line', smooth: true },
  reduction: 'last',
  help: label,
});

export const STAGE_METRICS: readonly Metric[] = [
  line('reward', 'reward', 'reward', 'val'),
  line('frac_reward_zero_std', 'signal', 'without signal', 'grad'),
  line('kl', 'kl', 'KL', 'lr'),
];
export const STAGE_CHARTS: readonly Chart[] = [
  { id: 'reward', title: 'Reward', unit: '', format: 'number', floor: 0 },
  { id: 'signal', title: 'Groups without signal', unit: '', format: 'percent', floor: 0 },
  { id: 'kl', title: 'KL', unit: 'nats', format: 'number', floor: 0 },
];

/** The columns of a stage: the loss stays near 0 and the reward rises. */
export function stageColumns(columns: MetricColumns, max_iters: number): MetricColumns {
  const random = seeded(5);
  const at = (value: (progress: number) => number): Float64Array =>
    columns.step.map((step) => value(step / max_iters) + 0.03 * (random() - 0.5));
  return {
    ...columns,
    'train/loss': at(() => 0),
    reward: at((progress) => 0.4 + 0.3 * (1 - Math.exp(-3 * progress))),
    frac_reward_zero_std: at((progress) => 0.2 + 0.2 * progress),
    kl: at((progress) => 1.4 * progress),
  };
}

const GROUPS = 6;
const ANSWERS = 4;

/** A batch of GRPO, or of any other stage that the page is shown with. */
export function inspectedStep(stage: StageConfig, step: number): ShownStep {
  const random = seeded(step + 3);
  const rows = Array.from({ length: GROUPS }, (_, group) => {
    const asked = ASKED[group % ASKED.length] ?? { prompt: '', right: '', wrong: '' };
    const no_signal = group === 2;
    return Array.from({ length: ANSWERS }, (_unused, index) => {
      const correct = no_signal || random() > 0.5 ? 1 : 0;
      const advantage = no_signal ? 0 : (correct ? 0.9 : -0.9) + 0.2 * random();
      const text = correct ? asked.right : asked.wrong;
      const tokens = [
        ...piecesOf(asked.prompt, random).map((piece) => shown(piece, { mask: 0 })),
        ...piecesOf(text, random).map((piece) => answered(piece, advantage, random)),
      ];
      return {
        group,
        label: `answer ${index + 1}`,
        tokens,
        rewards: { correct, ends: 1 },
        advantage,
        no_signal,
      };
    });
  });
  return { objective: stage.objective, step, rows: rows.flat() };
}

const shown = ({ id, text }: TokenPiece, figures: Partial<ShownToken>): ShownToken => ({
  id,
  text,
  mask: 1,
  ...figures,
});

function answered(piece: TokenPiece, advantage: number, random: () => number): ShownToken {
  const old_logp = Math.log(piece.probability);
  const change = 0.35 * (random() - 0.4) * Math.sign(advantage);
  const ratio = Math.exp(change);
  return shown(piece, {
    logp: old_logp + change,
    old_logp,
    ref_logp: old_logp - 0.1 * random(),
    ratio,
    clipped: ratio > 1.2 && advantage > 0,
    kl: 0.3 * random(),
    advantage,
  });
}

export const rolloutRecords = (step: number): RolloutRecord[] =>
  ASKED.map(({ prompt, right }) => ({
    step,
    prompt,
    completion: right,
    rewards: { correct: 1, reward: 1 },
    advantage: 0.7,
    ended: true,
    completion_ids: [1, 2],
    old_logps: [-0.2, -0.1],
  }));
