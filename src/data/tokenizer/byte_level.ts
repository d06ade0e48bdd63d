/**
 * GPT-2's byte alphabet, which writes bytes as text in a vocabulary: printable Latin-1 is itself,
 * and the other 68 bytes are the characters from U+0100 on, in order (Radford et al. 2019,
 * encoder.py).
 */
import { utf8 } from './utf8.ts';

export const END_OF_TEXT = '<|endoftext|>';

const isPrintable = (byte: number) =>
  (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;

/** Code point of each byte. */
const POINT_OF_BYTE = Uint16Array.from({ length: 256 }, (_, byte) => byte);
/** Byte of each code point, or -1. */
const BYTE_OF_POINT = new Int16Array(256 + 68).fill(-1);
{
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const point = isPrintable(byte) ? byte : next++;
    POINT_OF_BYTE[byte] = point;
    BYTE_OF_POINT[point] = byte;
  }
}

/** Writes bytes as a vocabulary entry. */
export function bytesToEntry(bytes: Uint8Array): string {
  let entry = '';
  for (const byte of bytes) entry += String.fromCharCode(POINT_OF_BYTE[byte] ?? 0);
  return entry;
}

/** The byte of a code point in a vocabulary entry, or -1. */
export const byteOfPoint = (point: number): number => BYTE_OF_POINT[point] ?? -1;

/** Returns the pieces between occurrences of the end-of-text string. */
export function splitAtEndOfText(text: string): string[] {
  return text.includes(END_OF_TEXT) ? text.split(END_OF_TEXT) : [text];
}

/** The 256 tokens of one byte. */
export const singleBytes = (): Uint8Array[] =>
  Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
export const NO_BYTES = utf8('');
