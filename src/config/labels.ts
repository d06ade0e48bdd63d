/**
 * What the page says about each field: one line on what it does and where it comes from. The label
 * of a field is its name. The type mirrors RunConfig, so that a field, or a choice of a field,
 * without a label is a type error.
 */
import type { FieldPath, Section } from './fields.ts';
import type { RunConfig } from './schema.ts';

interface Text {
  /** One line on what it does. */
  does: string;
  /** Paper and year, or the project that the name and its meaning come from. */
  source: string;
  unit?: string;
  /** What 0 stands for, where it stands for something. */
  zero?: string;
}
/** A field that is a choice also says what each option is. */
type FieldLabel<T> = [T] extends [string] ? Text & { options: Record<T, string> } : Text;
export type Labels = { [S in Section]: { [F in keyof RunConfig[S]]: FieldLabel<RunConfig[S][F]> } };

/** One label as a form reads it. */
export interface Label extends Text {
  field: string;
  options?: Readonly<Record<string, string>>;
}

const NANOGPT = 'nanoGPT';
const HF = 'Hugging Face transformers';
const OURS = 'Terrarium';

export const LABELS: Labels = {
  data: {
    corpus: {
      does: 'The text to learn from.',
      source: OURS,
      options: {
        names: '4,940 first names',
        moby_dick: 'One novel, 1.2 MB',
        kjv: '31,102 verses, 4.1 MB',
        sotu: 'Speeches 1790-2021, 10.8 MB',
        tiny_tales: 'Generated short stories',
        arithmetic: 'Generated sums',
        own: 'Text of your own',
      },
    },
    corpus_seed: {
      does: 'Seed of a generated text: the same seed writes the same stories and sums.',
      source: OURS,
    },
    val_fraction: {
      does: 'Share of the documents held out, which the model never trains on and is judged by.',
      source: 'nanoGPT (0.1 for characters)',
    },
  },
  tokenizer: {
    kind: {
      does: 'How text is cut into the pieces that the model reads and writes.',
      source: 'Sennrich et al. 2016 (BPE); Radford et al. 2019 (bytes)',
      options: {
        char: 'One token a character of the text',
        byte: 'One token a byte: 256 and no unknown text',
        bpe: 'Byte pairs merged by frequency, trained on the text',
        imported: 'A tokenizer.json made elsewhere',
      },
    },
    vocab_size: {
      does: 'Number of tokens of a trained BPE: more make text shorter and the embedding and the head larger.',
      source: HF,
      unit: 'tokens',
    },
  },
  model: {
    layout: {
      does: 'Which family the model follows, and under which name transformers opens it.',
      source: 'Radford et al. 2019; Touvron et al. 2023',
      options: {
        gpt2: 'GPT-2: learned positions, LayerNorm, GELU',
        llama: 'Llama: RoPE, RMSNorm, SwiGLU, grouped-query attention',
      },
    },
    n_layer: {
      does: 'Blocks of attention and feed-forward, one after another.',
      source: `${NANOGPT}; num_hidden_layers in transformers`,
    },
    n_head: {
      does: 'Heads of attention, each looking back in its own way; n_embd is shared out among them.',
      source: 'Vaswani et al. 2017',
    },
    n_kv_head: {
      does: 'Key and value heads, each shared by several query heads, which shrinks the cache.',
      source: 'Ainslie et al. 2023 (grouped-query attention)',
      zero: 'as many as n_head',
    },
    n_embd: {
      does: 'Width of the model: numbers that describe one token between blocks.',
      source: `${NANOGPT}; hidden_size in transformers`,
    },
    n_inner: {
      does: 'Width inside the feed-forward part of a block.',
      source: 'GPT-2; intermediate_size in Llama',
      zero: '4 x n_embd (GPT-2), 8/3 x n_embd (Llama)',
    },
    block_size: {
      does: 'Context: how many tokens the model sees at once.',
      source: `${NANOGPT}; n_positions in transformers`,
      unit: 'tokens',
    },
    bias: {
      does: 'Biases in linear layers and LayerNorm of the GPT-2 layout; without them it is a little smaller and faster.',
      source: NANOGPT,
    },
    tie_word_embeddings: {
      does: 'One matrix both reads tokens in and scores them on the way out.',
      source: 'Press and Wolf 2017',
    },
    dropout: {
      does: 'Share of activations set to zero while training, against learning the text by heart.',
      source: 'Srivastava et al. 2014',
    },
    activation_function: {
      does: 'The curve inside the feed-forward part.',
      source: 'Hendrycks and Gimpel 2016; So et al. 2021; Shazeer 2020',
      options: {
        gelu_new: 'GELU, tanh form (GPT-2)',
        relu2: 'ReLU squared (either layout)',
        silu: 'SiLU: with the gate, SwiGLU (Llama)',
      },
    },
    qk_norm: {
      does: 'Normalises queries and keys, which keeps attention from growing too sharp (Llama layout).',
      source: 'Henry et al. 2020',
    },
    sliding_window: {
      does: 'Attends to this many latest tokens only (Llama layout).',
      source: 'Beltagy et al. 2020; Mistral 7B, 2023',
      unit: 'tokens',
      zero: 'the whole context',
    },
    rope_theta: {
      does: 'Base of the rotation that tells positions apart; larger reaches farther (Llama layout).',
      source: 'Su et al. 2021 (RoPE)',
    },
    norm_eps: {
      does: 'Added under the root in a norm, so that nothing divides by zero.',
      source: 'layer_norm_epsilon, rms_norm_eps in transformers',
    },
  },
  training: {
    optimizer: {
      does: 'The rule that turns gradients into a step.',
      source: 'Loshchilov and Hutter 2019; Kingma and Ba 2015; Jordan et al. 2024 (Muon)',
      options: {
        adamw: 'Adam with decay of matrices apart from the gradient',
        adam: 'Adam, decay added to the gradient',
        sgd: 'Gradient descent with momentum',
        muon: 'Orthogonalised momentum for matrices, AdamW for the rest',
      },
    },
    learning_rate: {
      does: 'Length of a step at its highest. Too high and the loss explodes, too low and nothing happens.',
      source: NANOGPT,
    },
    min_lr: {
      does: 'Where the schedule ends.',
      source: 'nanoGPT (a tenth of learning_rate, as in Hoffmann et al. 2022)',
    },
    lr_schedule: {
      does: 'How the learning rate moves after warm-up.',
      source: 'Loshchilov and Hutter 2017 (cosine); Hu et al. 2024 (WSD)',
      options: {
        constant: 'Stays',
        linear: 'Falls in a line',
        cosine: 'Falls along half a cosine',
        wsd: 'Warm-up, stable, then decay at the end',
      },
    },
    warmup_iters: {
      does: 'Steps in which the learning rate climbs from near zero.',
      source: NANOGPT,
      unit: 'steps',
    },
    lr_decay_iters: {
      does: 'Step at which the decay has ended.',
      source: NANOGPT,
      unit: 'steps',
      zero: 'max_iters',
    },
    wsd_decay_fraction: {
      does: 'Share of the steps in which a warm-up/stable/decay schedule goes down.',
      source: 'Hu et al. 2024; Hägele et al. 2024',
    },
    batch_size: { does: 'Sequences in one micro-batch.', source: NANOGPT, unit: 'sequences' },
    gradient_accumulation_steps: {
      does: 'Micro-batches added up into one step: a larger batch in the same memory.',
      source: NANOGPT,
    },
    grad_clip: {
      does: 'Longest gradient let through; a longer one is scaled down to it.',
      source: 'Pascanu et al. 2013',
      zero: 'no clipping',
    },
    weight_decay: { does: 'Pull of matrices towards zero.', source: 'Loshchilov and Hutter 2019' },
    beta1: { does: 'Memory of the mean of gradients (Adam).', source: 'Kingma and Ba 2015' },
    beta2: {
      does: 'Memory of the size of gradients (Adam); small batches want it nearer to 1.',
      source: 'Kingma and Ba 2015; nanoGPT (0.95, 0.99 for small batches)',
    },
    epsilon: { does: 'Added to the divisor of Adam.', source: 'Kingma and Ba 2015' },
    momentum: {
      does: 'Share of the last step kept in the next (SGD, Muon).',
      source: 'Polyak 1964; Jordan et al. 2024',
    },
    muon_learning_rate: {
      does: 'Learning rate of matrices under Muon; everything else takes learning_rate.',
      source: 'Jordan et al. 2024; nanochat',
    },
    seed: {
      does: 'Decides first weights, batches and dropout: the same seed gives the same run.',
      source: NANOGPT,
    },
    max_iters: { does: 'Steps of the run.', source: NANOGPT, unit: 'steps' },
    max_tokens: {
      does: 'Stop after so many tokens as well.',
      source: OURS,
      unit: 'tokens',
      zero: 'no such limit',
    },
    max_seconds: {
      does: 'Stop after so many seconds of training as well.',
      source: OURS,
      unit: 's',
      zero: 'no such limit',
    },
    eval_interval: {
      does: 'Steps between two looks at the held-out text.',
      source: NANOGPT,
      unit: 'steps',
    },
    eval_iters: {
      does: 'Batches of one look; more make it surer and slower.',
      source: NANOGPT,
      unit: 'batches',
    },
    activation_checkpointing: {
      does: 'Computes each block again on the way back and keeps nothing of it: less memory, about a third more work.',
      source: 'Chen et al. 2016',
    },
    mixed_precision: {
      does: 'Keeps activations and logits in half the bytes; weights and optimizer stay in single precision. WebGPU only.',
      source: 'Micikevicius et al. 2018; Hugging Face Accelerate',
      options: { no: 'Single precision throughout', fp16: 'Half precision for activations' },
    },
  },
  sampling: {
    sample_interval: {
      does: 'Steps between two samples.',
      source: 'nanochat',
      unit: 'steps',
      zero: 'never',
    },
    prompts: { does: 'What the samples begin with, one each.', source: 'nanochat' },
    max_new_tokens: { does: 'Longest text that is written.', source: HF, unit: 'tokens' },
    temperature: {
      does: 'How freely the next token is drawn: 0 always takes the likeliest.',
      source: 'Ackley et al. 1985',
      zero: 'the likeliest token',
    },
    top_k: {
      does: 'Draw among the k likeliest tokens.',
      source: 'Fan et al. 2018',
      zero: 'among all',
    },
    top_p: {
      does: 'Draw among the likeliest tokens that make up this share.',
      source: 'Holtzman et al. 2020',
    },
    min_p: {
      does: 'Leave out tokens below this share of the likeliest one.',
      source: 'Nguyen et al. 2024',
      zero: 'none left out',
    },
    sample_seed: { does: 'Seed of the draws.', source: HF },
  },
  runtime: {
    backend: {
      does: 'What computes.',
      source: 'TensorFlow.js',
      options: {
        auto: 'The fastest that starts here',
        webgpu: 'GPU by WebGPU',
        webgl: 'GPU by WebGL',
        wasm: 'Processor by WebAssembly',
        cpu: 'Processor by JavaScript',
      },
    },
    autosave_interval: {
      does: 'Steps between two checkpoints by itself.',
      source: 'nanochat (save_every)',
      unit: 'steps',
      zero: 'when the tab is hidden or the run stops',
    },
    subgroup_matrices: {
      does: 'Under fp16, multiplies matrices on units made for it, where browser and GPU offer them and a check passes.',
      source: 'WebGPU chromium-experimental-subgroup-matrix',
    },
  },
};

const byPath: ReadonlyMap<string, Label> = new Map(
  Object.entries(LABELS).flatMap(([section, fields]) =>
    Object.entries(fields).map(
      ([field, text]: [string, Text & { options?: Readonly<Record<string, string>> }]) =>
        [`${section}.${field}`, { ...text, field }] as const,
    ),
  ),
);

/** The label of a field. */
export function labelOf(path: FieldPath): Label {
  const label = byPath.get(path);
  if (!label) throw new Error(`The field ${path} has no label.`);
  return label;
}
