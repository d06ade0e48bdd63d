/**
 * Writes our tokenizers as a tokenizer.json, with which Hugging Face `tokenizers` gives the same ids
 * and text.
 */
import { END_OF_TEXT } from './byte_level.ts';

interface BpeModel {
  vocab: [string, number][];
  merges: [string, string][];
}

function tokenizerJson(
  model: BpeModel,
  eos: number | null,
  pre_tokenizer: object | null,
  decoder: object,
): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: eos === null ? [] : [specialToken(END_OF_TEXT, eos)],
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
      // fromEntries defines own properties, so an entry named __proto__ is an ordinary entry.
      vocab: Object.fromEntries(model.vocab),
      merges: model.merges,
    },
  };
}

/** An entry of `added_tokens`. */
export const specialToken = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/**
 * Characters are a BPE without merges. Without a pre-tokenizer every character is a token, and the
 * decoder joins the tokens unchanged.
 */
export function charTokenizerJson(vocabulary: readonly string[]): object {
  const model: BpeModel = { vocab: vocabulary.map((char, id) => [char, id]), merges: [] };
  return tokenizerJson(model, null, null, { type: 'Fuse' });
}

/**
 * Byte-level BPE with GPT-2's pre-tokenizer; only bytes if there are no merges.
 *
 * @param entries Vocabulary entries by id, in GPT-2's byte alphabet; the entry at `eos` is ignored.
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
  return tokenizerJson({ vocab, merges }, eos, byteLevel, byteLevel);
}
