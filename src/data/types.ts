/** The types of this room, from text to batches. */
import type { TableFacts } from '../common/index.ts';

/** Text as documents, which are the unit of the split and of duplicate removal. */
export interface Corpus {
  name: string;
  documents: string[];
  /** Text between documents for tokenizers without an end-of-text token. */
  separator: string;
  /** Origin and licence of the text, as the page shows them. */
  source: string;
  /**
   * The documents are blocks of one running text. No text ends between them, so they are joined by
   * the separator even if the tokenizer has an end-of-text token.
   */
  continuous?: boolean;
  /** The documents follow each other, such as the chapters of a book, so they keep their order. */
  sequential?: boolean;
  /** How the table was read, if it is one. */
  table?: TableFacts;
  /** What was changed while reading, in sentences. */
  notes?: string[];
}

/** A corpus split by document into training and validation text, each in the order of training. */
export interface CorpusSplit {
  name: string;
  source: string;
  separator: string;
  continuous: boolean;
  table: TableFacts | null;
  notes: string[];
  train: string[];
  val: string[];
  duplicates_removed: number;
}

export interface Tokenizer {
  readonly kind: 'char' | 'byte' | 'bpe' | 'imported';
  readonly vocab_size: number;
  /** Id that ends a document; null if there is none, in which case the separator ends it. */
  readonly eos_token_id: number | null;
  /** Ids of the special tokens by their text, which stands for them in a rendered chat template. */
  readonly special_tokens: ReadonlyMap<string, number>;
  /** @throws DataError unknown_character, from a character tokenizer only. */
  encode(text: string): Int32Array;
  /**
   * Bytes that are not UTF-8 become U+FFFD.
   *
   * @throws DataError token_out_of_range
   */
  decode(ids: ArrayLike<number>): string;
  /**
   * UTF-8 bytes of one token; a special token has none. A character may be split across tokens.
   *
   * @throws DataError token_out_of_range
   */
  tokenBytes(id: number): Uint8Array;
  /** The tokenizer.json with which Hugging Face `tokenizers` gives the same ids. */
  toTokenizerJson(): unknown;
  /** The bytes of the tokenizer.json that was brought, which is saved as it is. */
  readonly file?: Uint8Array;
}

/** Training and validation tokens of one corpus. */
export interface TokenSplit {
  train: Int32Array;
  val: Int32Array;
  /** UTF-8 bytes of each token, by id [vocab_size], for bits per byte. */
  bytes_per_token: Uint16Array;
}

export type { Batch } from '../common/index.ts';
