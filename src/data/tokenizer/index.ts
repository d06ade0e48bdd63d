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
  /** The file of an imported tokenizer: bytes, text or parsed. */
  tokenizer_json?: unknown;
}

/**
 * The tokenizer that a configuration asks for. The vocabulary of characters comes from the whole
 * text, validation included (as nanoGPT does it), so that the validation text has no unknown
 * character; BPE is trained on the training text alone.
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
      return importTokenizer(options.tokenizer_json ?? missing());
    default:
      return config.kind satisfies never;
  }
}

function missing(): never {
  throw new DataError(
    'tokenizer_missing',
    'There is no tokenizer.json to import.',
    'Choose a tokenizer.json, or another tokenizer.',
  );
}
