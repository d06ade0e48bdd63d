/** What the page says about each field. */
import type { FieldPath } from './fields.ts';
import { HUGGING_FACE, TERRARIUM, type Labels, type LabelText } from './label_types.ts';
import { MODEL_LABELS } from './labels_model.ts';
import { TRAINING_LABELS } from './labels_training.ts';

/** The label of one field, for a form. */
export interface Label extends LabelText {
  /** Its key in the configuration. */
  field: string;
  /** Names of the options of a choice. */
  names?: Readonly<Record<string, string>>;
  /** Descriptions of the options of a choice. */
  options?: Readonly<Record<string, string>>;
}

export const LABELS: Labels = {
  data: {
    corpus: {
      name: 'Training text',
      names: {
        names: 'Names',
        moby_dick: 'Moby Dick',
        kjv: 'Verses (KJV)',
        sotu: 'Speeches',
        tiny_tales: 'Tiny tales',
        arithmetic: 'Arithmetic',
        own: 'Your own',
      },
      does: 'The training text.',
      source: TERRARIUM,
      options: {
        names: '4,940 first names',
        moby_dick: 'One novel, 1.2 MB',
        kjv: '31,102 verses, 4.1 MB',
        sotu: 'Speeches 1790-2021, 10.8 MB',
        tiny_tales: 'Generated short stories',
        arithmetic: 'Generated sums',
        own: 'Any text you bring',
      },
    },
    corpus_seed: {
      name: 'Text seed',
      does: 'Seed of a generated text: the same seed gives the same stories or sums.',
      source: TERRARIUM,
    },
    val_fraction: {
      name: 'Held out for validation',
      help:
        'The loss on held-out text shows whether the model learned the language or only this ' +
        'text.',
      does: 'Fraction of the documents held out for validation; the model never trains on them.',
      source: 'nanoGPT (0.1 for characters)',
    },
  },
  tokenizer: {
    kind: {
      name: 'Tokenizer',
      help:
        'A model reads tokens, not letters: characters, bytes, or pieces of words that occur ' +
        'often.',
      names: {
        char: 'Characters (char)',
        byte: 'Bytes (byte)',
        bpe: 'Word pieces (bpe)',
        imported: 'From a file (imported)',
      },
      does: 'How the text is split into tokens.',
      source: 'Sennrich et al. 2016 (BPE); Radford et al. 2019 (bytes)',
      options: {
        char: 'One token per character',
        byte: 'One token per byte: 256 tokens cover any text',
        bpe: 'Frequent byte pairs merged, trained on the text',
        imported: 'An existing tokenizer.json',
      },
    },
    vocab_size: {
      name: 'Vocabulary size',
      help: 'The vocabulary is the list of all tokens that the model can read and write.',
      does: 'Size of the BPE vocabulary. More tokens shorten the text and enlarge the embedding.',
      source: HUGGING_FACE,
      unit: 'tokens',
    },
  },
  model: MODEL_LABELS,
  training: TRAINING_LABELS,
  sampling: {
    sample_interval: {
      name: 'Sample every',
      does: 'Steps between samples.',
      source: 'nanochat',
      unit: 'steps',
      zero: 'never',
    },
    prompts: {
      name: 'Prompts',
      does: 'Prompts of the samples, one sample for each.',
      source: 'nanochat',
    },
    max_new_tokens: {
      name: 'Sample length',
      does: 'Maximum length of the generated text.',
      source: HUGGING_FACE,
      unit: 'tokens',
    },
    temperature: {
      name: 'Temperature',
      help:
        '0 repeats the safest choice; 1 follows the probabilities that the model learned; ' +
        'above 1 it gets wild.',
      does: 'Randomness of sampling: lower values favour likely tokens.',
      source: 'Ackley et al. 1985',
      zero: 'always the most likely token',
    },
    top_k: {
      name: 'Top k',
      does: 'Samples only from the k most likely tokens.',
      source: 'Fan et al. 2018',
      zero: 'from all tokens',
    },
    top_p: {
      name: 'Top p',
      does: 'Samples only from the most likely tokens that together have this probability.',
      source: 'Holtzman et al. 2020',
    },
    min_p: {
      name: 'Min p',
      does: "Excludes tokens whose probability is below this fraction of the most likely token's.",
      source: 'Nguyen et al. 2024',
      zero: 'excludes none',
    },
    sample_seed: { name: 'Sampling seed', does: 'Seed of the sampling.', source: HUGGING_FACE },
  },
  runtime: {
    backend: {
      name: 'Backend',
      names: {
        auto: 'Automatic (auto)',
        webgpu: 'WebGPU',
        webgl: 'WebGL',
        wasm: 'Processor (wasm)',
        cpu: 'JavaScript (cpu)',
      },
      does: 'Backend that runs the computation.',
      source: 'TensorFlow.js',
      options: {
        auto: 'The fastest available',
        webgpu: 'GPU via WebGPU',
        webgl: 'GPU via WebGL',
        wasm: 'Processor via WebAssembly, on one or several threads',
        cpu: 'Processor via JavaScript',
      },
    },
    autosave_interval: {
      name: 'Save every',
      does: 'Most steps between automatic checkpoints. Short runs save each fifth, slow ones each minute.',
      source: 'nanochat (save_every)',
      unit: 'steps',
      zero: 'only when you hide the tab or the run stops',
    },
    subgroup_matrices: {
      name: 'GPU matrix units',
      does: 'With fp16, uses matrix units of the GPU where they are supported and pass a check.',
      source: 'WebGPU chromium-experimental-subgroup-matrix',
    },
  },
};

// Marked as pure, so that the worker, which needs no labels, is built without them.
const LABELS_BY_PATH: ReadonlyMap<string, Label> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ Object.entries(LABELS).flatMap(([section, fields]) =>
    Object.entries(fields).map(
      ([field, text]: [string, LabelText & Pick<Label, 'names' | 'options'>]) =>
        [`${section}.${field}`, { ...text, field }] as const,
    ),
  ),
);

/** The label of a field. */
export function labelOf(path: FieldPath): Label {
  const label = LABELS_BY_PATH.get(path);
  if (!label) throw new Error(`The field ${path} has no label.`);
  return label;
}
