/** Labels of SFT, the reward model and DPO. */
import { TRL, type StageLabels } from './label_types.ts';

const DROPOUT = {
  name: 'Dropout off',
  does: 'Turns dropout off, so that the same answer always gets the same score.',
  source: TRL,
};

export const SFT_LABELS: StageLabels['sft'] = {
  completion_only_loss: {
    name: 'Learn from answers only',
    help:
      'With the loss on everything, the model also spends effort on predicting the questions, ' +
      'which it never has to write.',
    does: 'Counts the loss on answers and their end token only; otherwise on questions too.',
    source: TRL,
  },
  packing: {
    name: 'Packing',
    does: 'Puts several examples into one row, so that less of it is padding. No token attends to another example.',
    source: TRL,
  },
};

export const REWARD_LABELS: StageLabels['reward'] = {
  center_rewards_coefficient: {
    name: 'Centering',
    does: 'Strength with which scores are kept near 0; TRL suggests 0.01.',
    source: 'Eisenstein et al. 2023; TRL 1.10',
    zero: 'off',
  },
  disable_dropout: DROPOUT,
};

export const DPO_LABELS: StageLabels['dpo'] = {
  beta: {
    name: 'Beta',
    help: 'A small beta lets the model move far from where it started; a large one holds it close.',
    does: 'How strongly the model is held to the one it starts from.',
    source: 'Rafailov et al. 2023',
  },
  loss_type: {
    name: 'Loss',
    names: {
      sigmoid: 'Sigmoid (DPO)',
      ipo: 'IPO',
      hinge: 'Hinge (SLiC)',
      robust: 'Robust DPO',
      sigmoid_norm: 'Sigmoid, per token',
    },
    does: 'How the margin between the two answers becomes a loss.',
    source: TRL,
    options: {
      sigmoid: 'The loss of the DPO paper: logistic loss of the margin',
      ipo: 'Aims at a fixed margin per token, which overfits less',
      hinge: 'No loss any more once the margin is large enough',
      robust: 'Knows that a share of the pairs is swapped (label_smoothing)',
      sigmoid_norm: 'Compares averages per token, so that long answers gain nothing',
    },
  },
  label_smoothing: {
    name: 'Expected label noise',
    does: 'Share of the pairs that are assumed to be swapped. Only the robust loss uses it.',
    source: 'Chowdhury et al. 2024',
    zero: 'none',
  },
  sft_weight: {
    name: 'SFT term',
    help:
      'DPO only widens the gap between two answers. Both can become less likely while it does; ' +
      'this term keeps the better answer likely.',
    does: 'Weight of an SFT loss on the better answer.',
    source: 'TRL 1.10 (loss_type ["sigmoid", "sft"])',
    zero: 'none',
  },
  disable_dropout: DROPOUT,
};
