/** Text, tokens and batches: pure TypeScript without tfjs, for the worker and for tests under Node. */
export { bigramLoss, uniformLoss } from './baselines.ts';
export { evalBatches, targetSize, trainBatch, type EvalBatchOptions, type TrainBatchOptions } from './batches.ts';
export { loadCorpus, type LoadOptions } from './corpora/index.ts';
export type { FetchText } from './corpora/assets.ts';
export { embeddingOrder, type EmbeddingOrder } from './embedding_order.ts';
export { DataError, type DataErrorCode } from './errors.ts';
export { memorizationIndex, type MemorizationIndex } from './memorization.ts';
export { makeSplit, type SplitOptions } from './split.ts';
export { summarize, type TextSummary } from './summary.ts';
export { bytesPerToken, checkIds, makeTokenSplit } from './token_split.ts';
export { trainBpeTokenizer } from './tokenizer/bpe.ts';
export { trainBpe, type BpeTrainOptions, type TrainProgress } from './tokenizer/bpe_trainer.ts';
export { byteTokenizer } from './tokenizer/byte.ts';
export { charTokenizer, trainChar } from './tokenizer/char.ts';
export { makeTokenizer, type MakeTokenizerOptions } from './tokenizer/index.ts';
export { TokenStream } from './tokenizer/utf8.ts';
export type * from './types.ts';
