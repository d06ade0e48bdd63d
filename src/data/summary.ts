/** The numbers that the page shows about a text. */
import type { DataSummary } from '../common/index.ts';
import { bigramLoss, uniformLoss } from './baselines.ts';
import type { CorpusSplit, Tokenizer, TokenSplit } from './types.ts';

const SAMPLE_LENGTH = 1000;

/** @throws DataError token_out_of_range */
export function summarize(
  split: CorpusSplit,
  tokenizer: Tokenizer,
  tokens: TokenSplit,
): DataSummary {
  const { bytes, characters } = sizes([...split.train, ...split.val]);
  return {
    name: split.name,
    source: split.source,
    documents: split.train.length + split.val.length,
    duplicates_removed: split.duplicates_removed,
    bytes,
    characters,
    train_documents: split.train.length,
    val_documents: split.val.length,
    train_tokens: tokens.train.length,
    val_tokens: tokens.val.length,
    vocab_size: tokenizer.vocab_size,
    tokenizer_kind: tokenizer.kind,
    sample: sampleOf(split),
    table: split.table,
    notes: split.notes,
    uniform_loss: uniformLoss(tokenizer.vocab_size),
    bigram_loss: bigramLoss(tokens, tokenizer.vocab_size),
  };
}

/** UTF-8 bytes and code points. */
function sizes(documents: readonly string[]): { bytes: number; characters: number } {
  let bytes = 0;
  let characters = 0;
  for (const text of documents) {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      bytes += utf8BytesOf(unit);
      const isLowSurrogate = unit >= 0xdc00 && unit < 0xe000;
      if (!isLowSurrogate) characters++;
    }
  }
  return { bytes, characters };
}

/** UTF-8 bytes of a UTF-16 code unit; a surrogate is half of a pair, whose character has four. */
function utf8BytesOf(unit: number): number {
  if (unit < 0x80) return 1;
  const isSurrogate = unit >= 0xd800 && unit < 0xe000;
  return unit < 0x800 || isSurrogate ? 2 : 3;
}

/** The first training documents, up to SAMPLE_LENGTH characters. */
function sampleOf({ train, separator }: CorpusSplit): string {
  let sample = '';
  for (const text of train) {
    if (sample.length >= SAMPLE_LENGTH) break;
    sample += (sample === '' ? '' : separator) + text.slice(0, SAMPLE_LENGTH);
  }
  return [...sample].slice(0, SAMPLE_LENGTH).join('');
}
