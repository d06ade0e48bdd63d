/** Labels of what a stage learns from, and of its adapter. */
import { TERRARIUM } from '../label_types.ts';
import { PEFT, type StageLabels } from './label_types.ts';

export const DATASET_LABELS: StageLabels['dataset'] = {
  task: {
    name: 'Task',
    help: 'Generated tasks come with code that checks any answer, so progress can be measured exactly.',
    names: {
      tales: 'Tiny tales, asked',
      arithmetic: 'Arithmetic',
      strings: 'Strings',
      definitions: 'Definitions',
      own: 'Your own file (.jsonl)',
    },
    does: 'What is asked and answered.',
    source: TERRARIUM,
    options: {
      tales: 'Questions about short stories (who, where, what, why), and stories on request',
      arithmetic: 'Sums, with the digits of the answer in the order chosen below',
      strings: 'Reverse, count or sort letters',
      definitions: 'What a word means, from the glosses of WordNet',
      own: 'Conversations, pairs or prompts in the columns of TRL',
    },
  },
  seed: {
    name: 'Data seed',
    does: 'Seed of the generated examples: the same seed gives the same examples.',
    source: TERRARIUM,
  },
  size: {
    name: 'Training examples',
    does: 'Examples to learn from: questions with answers, pairs of answers, or prompts.',
    source: TERRARIUM,
  },
  eval_size: {
    name: 'Held-out examples',
    help: 'They combine what training never combines, so a model cannot pass by memorizing.',
    does: 'Examples that only measure progress. With 200, a share is known to about 7 points.',
    source: TERRARIUM,
  },
  ask: {
    name: 'Asked for',
    names: { all: 'Questions and stories', questions: 'Questions', stories: 'Stories' },
    does: 'What the prompts of the tales ask for.',
    source: TERRARIUM,
    options: {
      all: 'Three questions for each story',
      questions: 'Who, where, what and why about a short story',
      stories: 'A story with a given person, object, place and ending',
    },
  },
  broken_share: {
    name: 'Careless stories',
    help: 'A model of careless examples has much to gain from DPO and PPO.',
    does: 'Share of the example stories that break a part of what was asked.',
    source: TERRARIUM,
  },
  format: {
    name: 'Order of digits',
    names: { plain: 'Plain', reversed: 'Reversed', scratchpad: 'With a scratchpad' },
    does: 'How sums are written.',
    source: 'Lee et al. 2023',
    options: {
      plain: 'As people write them; hard, because the first digit depends on every carry',
      reversed: 'Last digit first, in the order in which a person adds; much easier to learn',
      scratchpad: 'With each carry written down before the answer',
    },
  },
  digits: {
    name: 'Digits',
    does: 'Digits of the two numbers that are added.',
    source: 'Lee et al. 2023',
  },
  preference: {
    name: 'Which answer is better',
    help: 'Because a rule decides which answer is better, the true reward of any answer is known.',
    names: {
      constraint: 'Keeps the constraint',
      correct: 'Is correct',
      polite: 'Is polite',
      short: 'Is short',
    },
    does: 'The rule by which one of two answers is preferred.',
    source: TERRARIUM,
    options: {
      constraint: 'The answer that contains what was asked for; both have about the same length',
      correct: 'The right answer before a wrong one',
      polite: 'The polite answer before a rude one',
      short: 'The shorter answer',
    },
  },
  label_noise: {
    name: 'Label noise',
    help: 'People disagree and make mistakes. Real preference data has 20% or more of it.',
    does: 'Share of the training pairs whose better and worse answer are swapped.',
    source: TERRARIUM,
    zero: 'no mistakes',
  },
  margin: {
    name: 'Margin',
    help:
      'As if people had also said by how much one answer is better (Llama 2): a reward model that has ' +
      'found one of its merits must find the others, too.',
    does: 'How much higher the better score should be for each unit of true reward (TRL’s column margin).',
    source: TERRARIUM,
    zero: 'only the order counts',
  },
  votes: {
    name: 'Your votes',
    names: { none: 'Not used', beside: 'Beside the generated pairs', only: 'Only your votes' },
    does: 'Whether the pairs that you voted on are learned from.',
    source: TERRARIUM,
    options: {
      none: 'Learn from generated pairs only',
      beside: 'Learn from generated pairs and from your votes',
      only: 'Learn from your votes alone; a few dozen are enough for a change that shows',
    },
  },
  malformed: {
    name: 'Lines that cannot be read',
    names: { refuse: 'Stop and say which', skip: 'Skip and count them' },
    does: 'What happens to malformed lines of your file.',
    source: TERRARIUM,
    options: {
      refuse: 'The first malformed line is reported with its number, and nothing starts',
      skip: 'Malformed lines are left out, and their number is reported',
    },
  },
};

export const PEFT_LABELS: StageLabels['peft'] = {
  peft_type: {
    name: 'Method',
    help:
      'LoRA adds two thin matrices beside each weight matrix and trains only those. It takes far ' +
      'less memory, and the model without the adapter stays as it was.',
    names: { none: 'All weights', lora: 'LoRA adapter' },
    does: 'Which weights train.',
    source: 'Hu et al. 2021; PEFT 0.21',
    options: {
      none: 'Every weight of the model trains',
      lora: 'Only a small adapter trains; the model itself is frozen',
    },
  },
  r: {
    name: 'Rank',
    does: 'Width of the adapter. More can learn more and takes more memory.',
    source: 'Hu et al. 2021',
  },
  lora_alpha: {
    name: 'Alpha',
    does: 'The adapter is scaled by lora_alpha / r.',
    source: 'Hu et al. 2021',
    trl: '8. Here it is 16, so that the adapter is scaled by 2 at rank 8, as most recipes do.',
  },
  lora_dropout: {
    name: 'Adapter dropout',
    does: 'Share of the adapter’s inputs that are dropped at random during training.',
    source: PEFT,
    zero: 'none',
  },
  target_modules: {
    name: 'Adapted layers',
    names: { 'all-linear': 'All linear layers', attention: 'Attention', mlp: 'Feed-forward' },
    does: 'Which weight matrices get an adapter.',
    source: 'PEFT 0.21; Schulman et al. 2025 (all layers beat attention alone)',
    options: {
      'all-linear': 'Every matrix of the blocks',
      attention: 'Queries, keys, values and outputs',
      mlp: 'The matrices of the feed-forward layers',
    },
    trl: 'c_attn, or q_proj and v_proj. All layers learn better at the same cost.',
  },
  dtype: {
    name: 'Frozen weights',
    help:
      'In float16 the frozen weights take half the memory of the device. The adapter, its gradients ' +
      'and all arithmetic stay in float32, and checkpoints keep the weights as they were.',
    names: { float32: 'float32', float16: 'float16' },
    does: 'How the device keeps the weights that do not train. Float16 needs WebGPU.',
    source: 'transformers’ dtype; PEFT 0.21 (autocast_adapter_dtype)',
    options: {
      float32: 'Four bytes a value, exact',
      float16: 'Two bytes a value, rounded to 11 bits',
    },
  },
};
