/**
 * What the data room hands out. A corpus is documents; a tokenizer turns text into ids; a batch is
 * what a step eats.
 */

/** Text as documents: the unit of the split and of duplicate removal. */
export interface Corpus {
  name: string;
  documents: string[];
  /** What stands between two documents where the tokenizer has no end-of-text token. */
  separator: string;
  /** Where the text comes from and under what licence, for the panel. */
  source: string;
  /**
   * The documents are blocks of one running text: they are joined by the separator even where the
   * tokenizer has an end-of-text token, because no text ends there.
   */
  continuous?: boolean;
  /** Columns of a .csv or .jsonl that can be read as text. */
  columns?: string[];
}

/** A corpus cut by document into training and validation text, each in the corpus's order. */
export interface CorpusSplit {
  name: string;
  source: string;
  separator: string;
  continuous: boolean;
  columns: string[];
  train: string[];
  val: string[];
  duplicates_removed: number;
}

export interface Tokenizer {
  readonly kind: 'char' | 'byte' | 'bpe' | 'imported';
  readonly vocab_size: number;
  /**
   * Id that ends a document, or null where the tokenizer has none (then the separator's ids do).
   */
  readonly eos_token_id: number | null;
  encode(text: string): Int32Array;
  /** Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>): string;
  /**
   * UTF-8 bytes of one token (a special token has none): a stream of tokens is decoded from these.
   */
  tokenBytes(id: number): Uint8Array;
  /** A tokenizer.json that `tokenizers` and `AutoTokenizer` read and that gives the same ids. */
  toTokenizerJson(): unknown;
}

/** Training and validation tokens of one corpus. */
export interface TokenSplit {
  train: Int32Array;
  val: Int32Array;
  /** UTF-8 bytes that each token stands for, by id: bits per byte needs them. */
  bytes_per_token: Uint16Array;
}

export type { Batch } from '../common/index.ts';
