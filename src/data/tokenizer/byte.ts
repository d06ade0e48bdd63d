/** Tokenizer of UTF-8 bytes: ids 0 to 255 are the bytes, 256 ends a document. Encodes any text. */
import type { Tokenizer } from '../types.ts';
import {
  bytesToEntry,
  END_OF_TEXT,
  NO_BYTES,
  singleBytes,
  splitAtEndOfText,
} from './byte_level.ts';
import { TokenBytes } from './token_bytes.ts';
import { byteLevelJson } from './tokenizer_json.ts';
import { utf8 } from './utf8.ts';

const EOS = 256;

export function byteTokenizer(): Tokenizer {
  const tokens = TokenBytes.from([...singleBytes(), NO_BYTES]);
  return {
    kind: 'byte',
    vocab_size: EOS + 1,
    eos_token_id: EOS,
    special_tokens: new Map([[END_OF_TEXT, EOS]]),
    encode(text) {
      const pieces = splitAtEndOfText(text).map(utf8);
      // One end-of-text token between every two pieces.
      const ids = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length + 1, -1));
      let offset = 0;
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) ids[offset++] = EOS;
        ids.set(piece, offset);
        offset += piece.length;
      }
      return ids;
    },
    decode: (ids) => tokens.decode(ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson: () => byteLevelJson(singleBytes().map(bytesToEntry), [], EOS),
  };
}
