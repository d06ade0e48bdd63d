/** The tokens of a text, for display. */
import type { Tokenizer } from '../types.ts';
import { END_OF_TEXT } from './byte_level.ts';

export interface Piece {
  id: number;
  text: string;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Text of a single token. Bytes of an incomplete character are written as <0xE2>, and the
 * end-of-text token by its name.
 */
export function pieceText(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.tokenBytes(id);
  if (bytes.length === 0) return id === tokenizer.eos_token_id ? END_OF_TEXT : '';
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `<0x${byte.toString(16).toUpperCase()}>`,
    ).join('');
  }
}

/** @throws DataError unknown_character, from a character tokenizer only. */
export function tokenPieces(tokenizer: Tokenizer, text: string): Piece[] {
  return Array.from(tokenizer.encode(text), (id) => ({ id, text: pieceText(tokenizer, id) }));
}
