/** Text, tokens and batches. No tfjs: runs in the worker and under Node. */
export { bigramLoss } from './baselines.ts';
export {
  evalBatches,
  shardOf,
  targetSize,
  trainBatch,
  type EvalBatchOptions,
  type TrainBatchOptions,
} from './batches.ts';
export { loadCorpus, type LoadOptions } from './corpora/index.ts';
export type { FetchText } from './corpora/assets.ts';
export { DataError, type DataErrorCode } from './errors.ts';
export { hashUnit } from './random.ts';
export { wellFormed } from './well_formed.ts';
export { memorizationIndex, type MemorizationIndex } from './memorization.ts';
export { makeSplit, SPLIT_VERSION, type SplitOptions } from './split.ts';
export { summarize } from './summary.ts';
export {
  bytesPerToken,
  makeTokenSplit,
  makeTokenSplitInSlices,
  type EncodeProgress,
} from './token_split.ts';
export { trainBpeTokenizer } from './tokenizer/bpe.ts';
export type { TrainProgress } from './tokenizer/bpe_trainer.ts';
export { byteTokenizer } from './tokenizer/byte.ts';
export { trainChar } from './tokenizer/char.ts';
export { makeTokenizer, type MakeTokenizerOptions } from './tokenizer/index.ts';
export { importTokenizer } from './tokenizer/imported.ts';
export { pieceText, tokenPieces, type Piece } from './tokenizer/pieces.ts';
export { tokenizerFromJson } from './tokenizer/read.ts';
export { TokenStream } from './tokenizer/utf8.ts';
export type * from './types.ts';
export { answerText } from './stages/answer_text.ts';
export type * from './stages/types.ts';
export type * from './tasks/types.ts';
