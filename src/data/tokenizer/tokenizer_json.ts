/**
 * Writes our tokenizers as the tokenizer.json of Hugging Face `tokenizers`, which gives the same
 * ids and the same text.
 */
import { END_OF_TEXT } from './byte_level.ts';

interface BpeModel {
  vocab: [string, number][];
  merges: [string, string][];
}

const file = (
  model: BpeModel,
  eos: number | null,
  pre_tokenizer: object | null,
  decoder: object,
) => ({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens:
    eos === null
      ? []
      : [
          {
            id: eos,
            content: END_OF_TEXT,
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
          },
        ],
  normalizer: null,
  pre_tokenizer,
  post_processor: null,
  decoder,
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    // fromEntries defines own properties, so that an entry called __proto__ is an entry and nothing
    // else.
    vocab: Object.fromEntries(model.vocab),
    merges: model.merges,
  },
});

/**
 * A BPE without merges: without a pre-tokenizer every character is its own token, and the decoder
 * joins them as they are.
 */
export function charTokenizerJson(vocabulary: readonly string[]): object {
  return file({ vocab: vocabulary.map((char, id) => [char, id]), merges: [] }, null, null, {
    type: 'Fuse',
  });
}

/**
 * Byte-level BPE with GPT-2's pre-tokenizer; bytes alone where there are no merges.
 * @param entries vocabulary entries by id, in GPT-2's byte alphabet; what stands at `eos` is not
 * looked at.
 */
export function byteLevelJson(
  entries: readonly string[],
  merges: [string, string][],
  eos: number | null,
): object {
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  const vocab = entries.map((entry, id): [string, number] => [
    id === eos ? END_OF_TEXT : entry,
    id,
  ]);
  if (eos === entries.length) vocab.push([END_OF_TEXT, eos]);
  return file({ vocab, merges }, eos, byteLevel, byteLevel);
}
