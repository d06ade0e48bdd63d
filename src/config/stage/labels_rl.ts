/** Labels of PPO, GRPO and the rewards that code checks. */
import { TERRARIUM } from '../label_types.ts';
import { TRL, type StageLabels } from './label_types.ts';

const TINY_CONTEXT = 'Answers of tiny models are short, and their context is.';

export const PPO_LABELS: StageLabels['ppo'] = {
  num_ppo_epochs: {
    name: 'Passes over each batch',
    does: 'How often each batch of answers is learned from before new ones are written.',
    source: TRL,
  },
  num_mini_batches: {
    name: 'Mini-batches',
    does: 'Updates in a pass over the answers; the batch size counts the answers of one.',
    source: TRL,
  },
  response_length: {
    name: 'Longest answer',
    does: 'Answers are cut after this many tokens.',
    source: TRL,
    unit: 'tokens',
    trl: `53. ${TINY_CONTEXT}`,
  },
  temperature: {
    name: 'Temperature',
    does: 'Randomness of the answers that are learned from.',
    source: TRL,
    trl: '0.7. At 1, the distribution that is sampled is the one that is trained.',
  },
  missing_eos_penalty: {
    name: 'Penalty for no end',
    does: 'Subtracted from the score of an answer that does not end by itself.',
    source: 'Stiennon et al. 2020; TRL 1.10',
    zero: 'none',
    trl: 'none. A tiny model otherwise forgets to stop.',
  },
  kl_coef: {
    name: 'KL coefficient',
    help:
      'The KL divergence measures how far the model has moved from the one it started from. ' +
      'Without this cost it soon writes what only fools the reward model.',
    does: 'Price of each nat that the model moves away from the one it started from.',
    source: 'Ziegler et al. 2019',
    zero: 'free to move',
  },
  kl_estimator: {
    name: 'KL estimator',
    names: { k1: 'k1', k3: 'k3' },
    does: 'How the KL divergence is estimated from one sampled token.',
    source: 'Schulman 2020',
    options: {
      k1: 'Unbiased, and may be negative for a token',
      k3: 'Never negative and less noisy',
    },
  },
  adap_kl_ctrl: {
    name: 'Adaptive KL',
    does: 'Raises and lowers kl_coef so that the KL stays near target_kl.',
    source: 'Ziegler et al. 2019',
  },
  target_kl: {
    name: 'Target KL',
    does: 'KL of an answer that adaptive KL aims at.',
    source: 'Ziegler et al. 2019',
    unit: 'nats',
  },
  cliprange: {
    name: 'Clip range',
    does: 'A token’s probability may change by this factor in one batch before its gradient is cut.',
    source: 'Schulman et al. 2017',
  },
  vf_coef: {
    name: 'Value loss weight',
    does: 'Weight of the value model’s loss beside the policy’s.',
    source: 'Schulman et al. 2017',
  },
  cliprange_value: {
    name: 'Value clip range',
    does: 'A value may change by this much in one batch before its gradient is cut.',
    source: TRL,
  },
  gamma: {
    name: 'Gamma',
    does: 'Discount per token of the reward that comes later.',
    source: 'Schulman et al. 2015',
  },
  lam: {
    name: 'Lambda',
    does: 'Generalized advantage estimation: 0 trusts the value model, 1 only the rewards.',
    source: 'Schulman et al. 2015',
  },
  whiten_rewards: {
    name: 'Whiten rewards',
    does: 'Scales the rewards of a batch to variance 1.',
    source: TRL,
  },
  score: {
    name: 'What scores an answer',
    names: { reward_model: 'A reward model', task: 'Code (the task’s rewards)' },
    does: 'Where the reward of an answer comes from.',
    source: TERRARIUM,
    options: {
      reward_model: 'A model that was trained on preferences',
      task: 'The rewards that code checks, with their weights below',
    },
  },
};

export const GRPO_LABELS: StageLabels['grpo'] = {
  num_generations: {
    name: 'Answers per prompt',
    help: 'An answer is judged against the others of its group, so no value model is needed.',
    does: 'Size of a group: answers to the same prompt. The batch size counts prompts.',
    source: 'Shao et al. 2024',
  },
  max_completion_length: {
    name: 'Longest answer',
    does: 'Answers are cut after this many tokens.',
    source: TRL,
    unit: 'tokens',
    trl: `512. ${TINY_CONTEXT}`,
  },
  temperature: {
    name: 'Temperature',
    does: 'Randomness of the answers. Too low, and all answers of a group are the same.',
    source: TRL,
  },
  beta: {
    name: 'Beta',
    does: 'Weight of the KL divergence from the model that training starts from.',
    source: TRL,
    zero: 'no reference model',
  },
  num_iterations: {
    name: 'Passes over each batch',
    does: 'How often each batch of answers is learned from before new ones are written.',
    source: TRL,
  },
  epsilon: {
    name: 'Clip range',
    does: 'A token’s probability may change by this factor in one batch before its gradient is cut.',
    source: 'Schulman et al. 2017',
  },
  epsilon_high: {
    name: 'Upper clip range',
    does: 'The same for probabilities that rise; 0.28 in DAPO.',
    source: 'Yu et al. 2025 (DAPO)',
    zero: 'as epsilon',
  },
  scale_rewards: {
    name: 'Scale of advantages',
    names: { group: 'By the group', batch: 'By the batch', none: 'Not scaled' },
    does: 'What an advantage is divided by.',
    source: 'Shao et al. 2024; Liu et al. 2025',
    options: {
      group: 'Divided by the standard deviation of the group',
      batch: 'Divided by the standard deviation of the batch',
      none: 'Only centered, so that easy and hard prompts count as they are',
    },
  },
  loss_type: {
    name: 'Normalization',
    names: { grpo: 'GRPO', dr_grpo: 'Dr. GRPO', dapo: 'DAPO', bnpo: 'BNPO' },
    does: 'How the losses of tokens are averaged.',
    source: TRL,
    options: {
      grpo: 'Each answer counts the same, so tokens of long ones count less',
      dr_grpo: 'Divided by the longest length allowed: no bias towards any length',
      dapo: 'Each token of the whole step counts the same',
      bnpo: 'Each token of a micro-batch counts the same',
    },
  },
  mask_truncated_completions: {
    name: 'Ignore cut answers',
    does: 'Answers that reach the length limit teach nothing.',
    source: 'Yu et al. 2025 (DAPO)',
  },
};

export const REWARDS_LABELS: StageLabels['rewards'] = {
  correct: {
    name: 'Correct',
    does: 'Weight of the reward for the right answer, or for a constraint that is kept.',
    source: 'TRL 1.10 (reward_weights)',
    zero: 'not used',
  },
  well_formed: {
    name: 'Well formed',
    does: 'Weight of the reward for an answer in the form of the task, right or wrong.',
    source: 'TRL 1.10 (reward_weights)',
    zero: 'not used',
  },
  ends: {
    name: 'Ends by itself',
    does: 'Weight of the reward for an answer that ends before the length limit.',
    source: 'TRL 1.10 (reward_weights)',
    zero: 'not used',
  },
  brief: {
    name: 'Brief',
    does: 'Weight of the reward for short answers: 1 minus the share of the allowed length.',
    source: 'TRL 1.10 (reward_weights)',
    zero: 'not used',
  },
};
