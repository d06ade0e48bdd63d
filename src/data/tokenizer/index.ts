import type { TokenizerConfig } from '../../config/index.ts';
import { DataError } from '../errors.ts';
import type { SliceOptions } from '../slices.ts';
import type { CorpusSplit, Tokenizer } from '../types.ts';
import { trainBpeTokenizer } from './bpe.ts';
import type { TrainProgress } from './bpe_trainer.ts';
import { byteTokenizer } from './byte.ts';
import { trainChar } from './char.ts';
import { importTokenizer } from './imported.ts';

export interface MakeTokenizerOptions extends SliceOptions<TrainProgress> {
  /** The tokenizer.json of an imported tokenizer: its bytes, text or parsed value. */
  tokenizer_json?: unknown;
}

/**
 * Makes the tokenizer that a configuration selects. Characters are collected from the whole text,
 * including the validation text (as in nanoGPT), so that it has no unknown characters. BPE is
 * trained on the training text only.
 *
 * @throws DataError
 */
export async function makeTokenizer(
  config: TokenizerConfig,
  split: CorpusSplit,
  options: MakeTokenizerOptions = {},
): Promise<Tokenizer> {
  switch (config.kind) {
    case 'char':
      return trainChar([...split.train, ...split.val, split.separator]);
    case 'byte':
      return byteTokenizer();
    case 'bpe':
      return trainBpeTokenizer(split.train, {
        vocab_size: config.vocab_size,
        onProgress: options.onProgress,
        signal: options.signal,
      });
    case 'imported':
      return importTokenizer(options.tokenizer_json ?? noTokenizer());
    default:
      return config.kind satisfies never;
  }
}

function noTokenizer(): never {
  throw new DataError(
    'tokenizer_missing',
    'There is no tokenizer.json to import.',
    'Choose a tokenizer.json, or another tokenizer.',
  );
}
