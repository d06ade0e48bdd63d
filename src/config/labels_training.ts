/** Labels of the fields of the optimizer and the training loop. */
import { HUGGING_FACE, NANOGPT, TERRARIUM, type Labels } from './label_types.ts';

export const TRAINING_LABELS: Labels['training'] = {
  optimizer: {
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
    does: 'Peak learning rate. Too high and the loss diverges; too low and training is slow.',
    source: NANOGPT,
  },
  min_lr: {
    does: 'Learning rate at the end of the schedule.',
    source: 'nanoGPT (a tenth of learning_rate, as in Hoffmann et al. 2022)',
  },
  lr_schedule: {
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
    does: 'Steps in which the learning rate rises from near zero to its peak.',
    source: NANOGPT,
    unit: 'steps',
  },
  lr_decay_iters: {
    does: 'Step at which the decay ends.',
    source: NANOGPT,
    unit: 'steps',
    zero: 'max_iters',
  },
  wsd_decay_fraction: {
    does: 'Fraction of the steps in the decay phase of a warm-up/stable/decay schedule.',
    source: 'Hu et al. 2024; Hägele et al. 2024',
  },
  batch_size: { does: 'Sequences per micro-batch.', source: NANOGPT, unit: 'sequences' },
  gradient_accumulation_steps: {
    does: 'Micro-batches per step: a larger batch in the same memory.',
    source: NANOGPT,
  },
  grad_clip: {
    does: 'Maximum norm of the gradient; larger gradients are scaled down to it.',
    source: 'Pascanu et al. 2013',
    zero: 'no clipping',
  },
  weight_decay: {
    does: 'Strength with which weight matrices are pulled towards zero.',
    source: 'Loshchilov and Hutter 2019',
  },
  beta1: {
    does: "Decay rate of Adam's running mean of the gradient.",
    source: 'Kingma and Ba 2015',
  },
  beta2: {
    does: "Decay rate of Adam's running mean of the squared gradient; use a value closer to 1 for small batches.",
    source: 'Kingma and Ba 2015; nanoGPT (0.95, 0.99 for small batches)',
  },
  epsilon: {
    does: "Added to the denominator of Adam's update, to avoid division by zero.",
    source: 'Kingma and Ba 2015',
  },
  momentum: {
    does: 'Fraction of the previous update kept in the next one (SGD, Muon).',
    source: 'Polyak 1964; Jordan et al. 2024',
  },
  muon_learning_rate: {
    does: 'Learning rate of the matrices under Muon; all other weights use learning_rate.',
    source: 'Jordan et al. 2024; nanochat',
  },
  seed: {
    does: 'Seed of the initial weights, batches and dropout: the same seed gives the same run.',
    source: NANOGPT,
  },
  max_iters: { does: 'Number of training steps.', source: NANOGPT, unit: 'steps' },
  max_tokens: {
    does: 'Stops the run after this many tokens.',
    source: TERRARIUM,
    unit: 'tokens',
    zero: 'no limit',
  },
  max_seconds: {
    does: 'Stops the run after this many seconds of training.',
    source: TERRARIUM,
    unit: 's',
    zero: 'no limit',
  },
  eval_interval: { does: 'Steps between evaluations.', source: NANOGPT, unit: 'steps' },
  eval_iters: {
    does: 'Batches per evaluation; more is steadier but slower.',
    source: NANOGPT,
    unit: 'batches',
  },
  early_stopping_patience: {
    does: 'Stops the run after this many evaluations in a row without a better validation loss.',
    source: HUGGING_FACE,
    unit: 'evaluations',
    zero: 'never',
  },
  early_stopping_threshold: {
    does: 'How much lower than the best a validation loss must be to count as better.',
    source: HUGGING_FACE,
    unit: 'nats',
  },
  activation_checkpointing: {
    does: 'Recomputes each block in the backward pass instead of storing it: less memory, about a third more compute.',
    source: 'Chen et al. 2016',
  },
  mixed_precision: {
    does: 'Stores activations and logits in float16; weights and optimizer state stay in float32. WebGPU only.',
    source: 'Micikevicius et al. 2018; Hugging Face Accelerate',
    options: { no: 'float32 throughout', fp16: 'float16 activations' },
  },
};
