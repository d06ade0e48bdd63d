import type { TokenizerConfig } from '../../config/index.ts';
import { DataError } from '../errors.ts';
import type { CorpusSplit, Tokenizer } from '../types.ts';
import { byteTokenizer } from './byte.ts';
import { trainChar } from './char.ts';

/**
 * The tokenizer that a configuration asks for. The vocabulary of characters comes from the whole text, validation
 * included (as nanoGPT does it), so that the validation text has no unknown character.
 * @throws DataError
 */
export async function makeTokenizer(config: TokenizerConfig, split: CorpusSplit): Promise<Tokenizer> {
  switch (config.kind) {
    case 'char': return trainChar([...split.train, ...split.val, split.separator]);
    case 'byte': return byteTokenizer();
    case 'bpe':
    case 'imported':
      throw new DataError('tokenizer_unsupported', `The tokenizer "${config.kind}" is not there yet.`, 'Choose characters or bytes.');
    default: return config.kind satisfies never;
  }
}
