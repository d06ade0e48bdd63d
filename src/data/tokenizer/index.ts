import type { TokenizerConfig } from '../../config/index.ts';
import { DataError } from '../errors.ts';
import type { CorpusSplit, Tokenizer } from '../types.ts';
import { trainBpeTokenizer } from './bpe.ts';
import type { TrainProgress } from './bpe_trainer.ts';
import { byteTokenizer } from './byte.ts';
import { trainChar } from './char.ts';

export interface MakeTokenizerOptions {
  onProgress?: (progress: TrainProgress) => void;
  signal?: AbortSignal;
}

/**
 * The tokenizer that a configuration asks for. The vocabulary of characters comes from the whole text, validation
 * included (as nanoGPT does it), so that the validation text has no unknown character; BPE is trained on the training
 * text alone.
 * @throws DataError
 */
export async function makeTokenizer(config: TokenizerConfig, split: CorpusSplit, options: MakeTokenizerOptions = {}): Promise<Tokenizer> {
  switch (config.kind) {
    case 'char': return trainChar([...split.train, ...split.val, split.separator]);
    case 'byte': return byteTokenizer();
    case 'bpe': return trainBpeTokenizer(split.train, { vocab_size: config.vocab_size, ...options });
    case 'imported':
      throw new DataError('tokenizer_unsupported', `The tokenizer "${config.kind}" is not there yet.`, 'Choose characters or bytes.');
    default: return config.kind satisfies never;
  }
}
