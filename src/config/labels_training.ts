/** Labels of the fields of the optimizer and the training loop. */
import { HUGGING_FACE, NANOGPT, TERRARIUM, type Labels } from './label_types.ts';

export const TRAINING_LABELS: Labels['training'] = {
  optimizer: {
    name: 'Optimizer',
    help:
      'The gradient says for each weight in which direction the loss grows. The optimizer ' +
      'takes a step the other way.',
    names: { adamw: 'AdamW', adam: 'Adam', sgd: 'SGD', muon: 'Muon' },
    does: 'Algorithm that updates the weights from the gradients.',
    source: 'Loshchilov and Hutter 2019; Kingma and Ba 2015; Jordan et al. 2024 (Muon)',
    options: {
      adamw: 'Adam with decoupled weight decay, on matrices only',
      adam: 'Adam with weight decay added to the gradient',
      sgd: 'Gradient descent with momentum',
      muon: 'Orthogonalized momentum for matrices, AdamW for the rest',
    },
  },
  learning_rate: {
    name: 'Learning rate',
    help: 'The size of the steps that the optimizer takes. It is the setting that matters most.',
    does: 'Peak learning rate. Too high and the loss diverges; too low and training is slow.',
    source: NANOGPT,
  },
  min_lr: {
    name: 'Final learning rate',
    does: 'Learning rate at the end of the schedule.',
    source: 'nanoGPT (a tenth of learning_rate, as in Hoffmann et al. 2022)',
  },
  lr_schedule: {
    name: 'Schedule',
    names: {
      constant: 'Constant',
      linear: 'Linear',
      cosine: 'Cosine',
      wsd: 'Stable, then decay (wsd)',
    },
    does: 'How the learning rate changes after warm-up.',
    source: 'Loshchilov and Hutter 2017 (cosine); Hu et al. 2024 (WSD)',
    options: {
      constant: 'Constant',
      linear: 'Linear decay',
      cosine: 'Cosine decay',
      wsd: 'Warm-up, stable, then decay at the end',
    },
  },
  warmup_iters: {
    name: 'Warm-up',
    help:
      'Early gradients are rough. Starting with small steps keeps them from throwing the ' +
      'model off.',
    does: 'Steps in which the learning rate rises from near zero to its peak.',
    source: NANOGPT,
    unit: 'steps',
  },
  lr_decay_iters: {
    name: 'End of decay',
    does: 'Step at which the decay ends.',
    source: NANOGPT,
    unit: 'steps',
    zero: 'max_iters',
  },
  wsd_decay_fraction: {
    name: 'Decay phase',
    does: 'Fraction of the steps in the decay phase of a warm-up/stable/decay schedule.',
    source: 'Hu et al. 2024; Hägele et al. 2024',
  },
  batch_size: {
    name: 'Batch size',
    help:
      'A step looks at this many pieces of text at once. Larger batches give steadier ' +
      'steps and cost more memory.',
    does: 'Sequences per micro-batch.',
    source: NANOGPT,
    unit: 'sequences',
  },
  gradient_accumulation_steps: {
    name: 'Gradient accumulation',
    does: 'Micro-batches per step: a larger batch in the same memory.',
    source: NANOGPT,
  },
  grad_clip: {
    name: 'Gradient clipping',
    help:
      'The gradient norm is the length of the gradient: one number for how strongly this ' +
      'batch wants to change the model.',
    does: 'Maximum norm of the gradient; larger gradients are scaled down to it.',
    source: 'Pascanu et al. 2013',
    zero: 'no clipping',
  },
  weight_decay: {
    name: 'Weight decay',
    help: 'Small weights make simpler models, which often do better on new text.',
    does: 'Strength with which weight matrices are pulled towards zero.',
    source: 'Loshchilov and Hutter 2019',
  },
  beta1: {
    name: 'Beta 1',
    does: "Decay rate of Adam's running mean of the gradient.",
    source: 'Kingma and Ba 2015',
  },
  beta2: {
    name: 'Beta 2',
    does: "Decay rate of Adam's running mean of the squared gradient; use a value closer to 1 for small batches.",
    source: 'Kingma and Ba 2015; nanoGPT (0.95, 0.99 for small batches)',
  },
  epsilon: {
    name: 'Epsilon',
    does: "Added to the denominator of Adam's update, to avoid division by zero.",
    source: 'Kingma and Ba 2015',
  },
  momentum: {
    name: 'Momentum',
    does: 'Fraction of the previous update kept in the next one (SGD, Muon).',
    source: 'Polyak 1964; Jordan et al. 2024',
  },
  muon_learning_rate: {
    name: 'Muon learning rate',
    does: 'Learning rate of the matrices under Muon; all other weights use learning_rate.',
    source: 'Jordan et al. 2024; nanochat',
  },
  seed: {
    name: 'Seed',
    does: 'Seed of the initial weights, batches and dropout: the same seed gives the same run.',
    source: NANOGPT,
  },
  max_iters: {
    name: 'Training steps',
    help: 'One step looks at one batch and changes the weights once.',
    does: 'Number of training steps.',
    source: NANOGPT,
    unit: 'steps',
  },
  max_tokens: {
    name: 'Token limit',
    does: 'Stops the run after this many tokens.',
    source: TERRARIUM,
    unit: 'tokens',
    zero: 'no limit',
  },
  max_seconds: {
    name: 'Time limit',
    does: 'Stops the run after this many seconds of training.',
    source: TERRARIUM,
    unit: 's',
    zero: 'no limit',
  },
  eval_interval: {
    name: 'Evaluate every',
    help: 'An evaluation measures the loss on text that the model never trains on.',
    does: 'Steps between evaluations.',
    source: NANOGPT,
    unit: 'steps',
  },
  eval_iters: {
    name: 'Batches per evaluation',
    does: 'Batches per evaluation; more is steadier but slower.',
    source: NANOGPT,
    unit: 'batches',
  },
  early_stopping_patience: {
    name: 'Early stopping',
    does: 'Stops the run after this many evaluations in a row without a better validation loss.',
    source: HUGGING_FACE,
    unit: 'evaluations',
    zero: 'never',
  },
  early_stopping_threshold: {
    name: 'Smallest improvement',
    does: 'How much lower than the best a validation loss must be to count as better.',
    source: HUGGING_FACE,
    unit: 'nats',
  },
  activation_checkpointing: {
    name: 'Activation checkpointing',
    does: 'Recomputes activations in the backward pass instead of storing them: less memory for more compute.',
    source: 'Chen et al. 2016',
  },
  recompute_granularity: {
    name: 'Recompute',
    names: { full: 'Whole blocks (full)', selective: 'Cheap operations (selective)' },
    does: 'Which activations the backward pass recomputes.',
    source: 'Korthikanti et al. 2022; Megatron-LM',
    options: {
      full: 'Least memory, about a third more compute',
      selective: 'Norms, QK-norm with RoPE and gates: up to 40 per cent less, for little time',
    },
  },
  mixed_precision: {
    name: 'Mixed precision',
    help:
      'float16 numbers take half the memory of float32 numbers and are faster on many ' +
      'GPUs, but less exact.',
    names: { no: 'Off (no)', fp16: 'float16 (fp16)' },
    does: 'Stores activations and logits in float16; weights and optimizer state stay in float32. WebGPU only.',
    source: 'Micikevicius et al. 2018; Hugging Face Accelerate',
    options: { no: 'float32 throughout', fp16: 'float16 activations' },
  },
};
