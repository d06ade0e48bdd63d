/** What the train view says about each kind of stage: its loss, what to look for, what goes wrong. */
import type { StageConfig } from '../../../config/stage/index.ts';

export interface Explanation {
  /** The loss in TeX. */
  loss: string;
  /** What its symbols mean: TeX, and words. */
  symbols: readonly (readonly [string, string])[];
  /** What to look for while it trains. */
  look: readonly string[];
  /** What usually goes wrong, and what helps. */
  wrong: readonly string[];
}

const POLICY = ['\\pi_\\theta', 'the model that trains'] as const;
const REFERENCE = ['\\pi_{\\text{ref}}', 'the model it started from, frozen'] as const;

const SFT: Explanation = {
  loss: '\\mathcal{L} = -\\frac{1}{\\sum_t m_t} \\sum_t m_t \\log \\pi_\\theta(x_t \\mid x_{<t})',
  symbols: [
    ['x_t', 'a token of a conversation'],
    ['m_t', '1 for tokens of answers and their end, 0 for the rest'],
    POLICY,
  ],
  look: [
    'The share of held-out questions that are answered exactly, more than the loss.',
    'Answers that end by themselves: the end token is learned like any other.',
  ],
  wrong: [
    'The training loss keeps falling while the validation loss rises: more examples help, ' +
      'more steps do not.',
    'A model that never stops has not learned its end token; check that the loss counts it.',
  ],
};

const REWARD: Explanation = {
  loss: '\\mathcal{L} = -\\log \\sigma\\big(r_\\theta(x, y_c) - r_\\theta(x, y_r) - m\\big)',
  symbols: [
    ['r_\\theta', 'the score of an answer, read at its last token'],
    ['y_c,\\; y_r', 'the better and the worse answer to the prompt x'],
    ['m', 'a margin, 0 unless the data has one'],
  ],
  look: [
    'The share of held-out pairs in which the better answer gets the higher score: 50% is chance.',
    'The gap between the mean scores of better and worse answers.',
  ],
  wrong: [
    'With a few dozen pairs it stays near chance on held-out pairs: it memorizes the ' +
      'training pairs.',
    'In many passes over the same pairs it learns their wrong labels, too: the accuracy on held-out ' +
      'pairs falls. More pairs help, or fewer steps.',
    'It may score something that only goes along with the better answers, such as their length.',
  ],
};

const RATIO =
  '\\ell_y = \\log \\frac{\\pi_\\theta(y \\mid x)}{\\pi_{\\text{ref}}(y \\mid x)},\\qquad ';

const DPO_LOSSES: Readonly<Record<StageConfig['dpo']['loss_type'], string>> = {
  sigmoid: `${RATIO}\\mathcal{L} = -\\log \\sigma\\big(\\beta(\\ell_c - \\ell_r)\\big)`,
  ipo:
    '\\bar\\ell_y = \\frac{\\ell_y}{|y|},\\qquad ' +
    '\\mathcal{L} = \\Big(\\bar\\ell_c - \\bar\\ell_r - \\frac{1}{2\\beta}\\Big)^2',
  hinge: `${RATIO}\\mathcal{L} = \\max\\big(0,\\; 1 - \\beta(\\ell_c - \\ell_r)\\big)`,
  robust:
    '\\mathcal{L} = \\frac{-(1-\\varepsilon)\\log\\sigma(\\beta\\Delta) + ' +
    '\\varepsilon\\log\\sigma(-\\beta\\Delta)}{1 - 2\\varepsilon},\\qquad \\Delta = ' +
    '\\ell_c - \\ell_r',
  sigmoid_norm:
    '\\bar\\ell_y = \\frac{\\ell_y}{|y|},\\qquad ' +
    '\\mathcal{L} = -\\log \\sigma\\big(\\beta(\\bar\\ell_c - \\bar\\ell_r)\\big)',
};

const dpo = ({ dpo: { loss_type } }: StageConfig): Explanation => ({
  loss: DPO_LOSSES[loss_type],
  symbols: [
    ['\\ell_c,\\; \\ell_r', 'how much more likely the better and the worse answer have become'],
    ['\\beta', 'how strongly the model is held to where it started'],
    POLICY,
    REFERENCE,
  ],
  look: [
    'Accuracy on held-out pairs, and the margin: it starts at 0 and should grow.',
    'Both log-probabilities: the loss only asks for a gap between them.',
  ],
  wrong: [
    'The better answer becomes less likely too, as long as the worse one falls faster. An ' +
      'SFT term (sft_weight) holds it up.',
    'The margin grows on training pairs alone: fewer steps, or a larger beta.',
  ],
});

const PPO: Explanation = {
  loss:
    '\\mathcal{L} = \\max\\big(-A_t\\rho_t,\\; -A_t\\,\\text{clip}(\\rho_t, 1-\\epsilon, 1+\\epsilon)\\big)' +
    ' + c_v \\mathcal{L}_V,\\qquad ' +
    'R_t = -\\beta\\,\\text{KL}_t + [t = T]\\, r(x, y)',
  symbols: [
    ['\\rho_t', 'probability of a token now, over what it was when it was sampled'],
    ['A_t', 'advantage: how much better the rest went than the value model expected'],
    ['r(x, y)', 'score of the whole answer'],
    ['\\text{KL}_t', 'how far the token’s distribution moved from the reference'],
    ['\\beta', 'kl_coef: the price of moving away'],
  ],
  look: [
    'The score should rise while the KL stays small. A ratio near 1 and few clipped ' +
      'tokens mean small steps.',
    'The true reward, where it is known, beside the learned one: “Reward and truth” shows both ' +
      'against the KL.',
  ],
  wrong: [
    'Over-optimization: the learned reward keeps rising while the true reward falls and ' +
      'the KL grows. The model has found what fools the judge. A larger kl_coef or fewer ' +
      'steps help.',
    'With kl_coef 0, all answers soon become the same few words.',
  ],
};

const NORMALIZERS: Readonly<Record<StageConfig['grpo']['loss_type'], string>> = {
  grpo: '\\frac{1}{G}\\sum_i \\frac{1}{|y_i|}\\sum_t',
  dr_grpo: '\\frac{1}{G\\,L_{\\max}}\\sum_i\\sum_t',
  dapo: '\\frac{1}{\\sum_i |y_i|}\\sum_i\\sum_t',
  bnpo: '\\frac{1}{\\sum_i |y_i|}\\sum_i\\sum_t',
};

const SCALES: Readonly<Record<StageConfig['grpo']['scale_rewards'], string>> = {
  group: '\\frac{r_i - \\text{mean}(r)}{\\text{std}(r) + 10^{-4}}',
  batch: '\\frac{r_i - \\text{mean}(r)}{\\text{std}_{\\text{batch}}(r) + 10^{-4}}',
  none: 'r_i - \\text{mean}(r)',
};

const grpo = ({ grpo: { loss_type, scale_rewards, beta } }: StageConfig): Explanation => ({
  loss:
    `A_i = ${SCALES[scale_rewards]},\\qquad \\mathcal{L} = -${NORMALIZERS[loss_type]} ` +
    '\\min\\big(\\rho A_i,\\; \\text{clip}(\\rho, 1-\\epsilon, 1+\\epsilon) A_i\\big)' +
    (beta > 0 ? ' + \\beta\\, \\text{KL}' : ''),
  symbols: [
    ['r_i', 'reward of answer i of the group'],
    ['A_i', 'advantage: better or worse than the rest of the group'],
    ['\\rho', 'probability of a token now, over what it was when it was sampled'],
  ],
  look: [
    'The reward, not the loss. The loss reads near 0 all the time: the advantages of a ' +
      'group add up to 0, and the ratio is 1 on fresh answers. Its gradient is not 0.',
    'The share of groups without signal (frac_reward_zero_std): if all answers are right, ' +
      'or all wrong, there is nothing to compare.',
  ],
  wrong: [
    'A prompt that is never answered right teaches nothing. SFT first, until a third or ' +
      'so of the answers are right.',
    'Too much SFT before makes all answers alike; a higher temperature helps.',
    'The model finds the cheapest way to the reward, which may not be the one that was meant: ' +
      '“Reward and truth” shows both.',
  ],
});

/** The explanation of a stage; formulas follow its settings. */
export function explanationOf(stage: StageConfig): Explanation {
  const { objective } = stage;
  switch (objective) {
    case 'sft':
      return SFT;
    case 'reward':
      return REWARD;
    case 'dpo':
      return dpo(stage);
    case 'ppo':
      return PPO;
    case 'grpo':
      return grpo(stage);
    default:
      return objective satisfies never;
  }
}
