/** Text as its tokens, to be looked at. */
import type { Tokenizer } from '../types.ts';
import { END_OF_TEXT } from './byte_level.ts';

export interface Piece {
  id: number;
  text: string;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Text of one token on its own: bytes that are no whole character are written as <0xE2>, an end
 * token by its name.
 */
export function pieceText(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.tokenBytes(id);
  if (bytes.length === 0) return id === tokenizer.eos_token_id ? END_OF_TEXT : '';
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `<0x${byte.toString(16).toUpperCase()}>`,
    ).join('');
  }
}

/** @throws DataError unknown_character, where the tokenizer is one of characters */
export function tokenPieces(tokenizer: Tokenizer, text: string): Piece[] {
  return Array.from(tokenizer.encode(text), (id) => ({ id, text: pieceText(tokenizer, id) }));
}
