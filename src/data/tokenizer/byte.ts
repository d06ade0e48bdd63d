/** Bytes: ids 0 to 255 are the bytes of UTF-8, 256 ends a document. Knows every text. */
import type { Tokenizer } from '../types.ts';
import { bytesToEntry, NO_BYTES, singleBytes, splitAtEndOfText } from './byte_level.ts';
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
    encode(text) {
      const pieces = splitAtEndOfText(text).map(utf8);
      const ids = new Int32Array(pieces.reduce((sum, piece) => sum + piece.length + 1, -1));
      let at = 0;
      for (const piece of pieces) {
        if (at > 0 || piece !== pieces[0]) ids[at++] = EOS;
        ids.set(piece, at);
        at += piece.length;
      }
      return ids;
    },
    decode: (ids) => tokens.decode(ids),
    tokenBytes: (id) => tokens.of(id),
    toTokenizerJson: () => byteLevelJson(singleBytes().map(bytesToEntry), [], EOS),
  };
}
