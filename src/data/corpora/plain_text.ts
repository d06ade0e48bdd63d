/**
 * Documents of a plain text. A list (many short lines, no blank line) has one per line. Anything
 * else is one running text, cut into blocks of about BLOCK characters that join to exactly the text.
 *
 * Whether a block ends after a paragraph depends only on a hash of that paragraph, not on its
 * position in the text (content-defined chunking). A passage that occurs twice therefore gives equal
 * blocks, which duplicate removal finds.
 */
import type { Corpus } from '../types.ts';

/** Average length of a block, in characters. */
const BLOCK = 2000;
/** No block is longer than this. */
const MAX_BLOCK = 4 * BLOCK;

export function plainTextDocuments(
  text: string,
): Pick<Corpus, 'documents' | 'separator' | 'continuous'> {
  const lines = text.split('\n');
  if (isList(lines))
    return { documents: lines.map((line) => line.trim()), separator: '\n', continuous: false };
  return { documents: cutIntoBlocks(text), separator: '', continuous: true };
}

/**
 * Whether the lines are a list of names, words or sums: at least 20 lines, none blank or longer than
 * 200 characters, and at least half of them up to 40 characters.
 */
function isList(lines: string[]): boolean {
  const filled = lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  if (filled.length < 20 || filled.some((line) => line.trim() === '' || line.length > 200))
    return false;
  const short = filled.filter((line) => line.length <= 40).length;
  return short * 2 >= filled.length;
}

function cutIntoBlocks(text: string): string[] {
  const pieces = cutIntoPieces(text);
  const piecesPerBlock = Math.max(1, Math.round(BLOCK / (text.length / pieces.length)));
  const documents: string[] = [];
  let block = '';
  for (const piece of pieces) {
    if (block.length + piece.length > MAX_BLOCK && block !== '') {
      documents.push(block);
      block = '';
    }
    block += piece;
    if (hash(piece) % piecesPerBlock === 0) {
      documents.push(block);
      block = '';
    }
  }
  if (block !== '') documents.push(block);
  return documents;
}

/**
 * Cuts a text into paragraphs if it has blank lines, else into lines, else into words, each with the
 * white space after it. No piece is longer than MAX_BLOCK.
 */
function cutIntoPieces(text: string): string[] {
  return (text.match(pieceOf(text)) ?? []).flatMap(cutLongPiece);
}

function pieceOf(text: string): RegExp {
  // Without white space at its end, each test takes linear time.
  const trimmed = text.trimEnd();
  if (/\n[^\S\n]*\n\s*\S/.test(trimmed)) return /[^\n]+(?:\n(?![^\S\n]*\n)[^\n]*)*\s*|\s+/g;
  if (/\n\s*\S/.test(trimmed)) return /[^\n]*\n|[^\n]+/g;
  return /\S+\s*|\s+/g;
}

function cutLongPiece(piece: string): string[] {
  const parts: string[] = [];
  for (let start = 0; start < piece.length;) {
    let end = Math.min(piece.length, start + MAX_BLOCK);
    // Never splits a surrogate pair.
    if (end < piece.length && /[\udc00-\udfff]/.test(piece.charAt(end))) end--;
    parts.push(piece.slice(start, end));
    start = end;
  }
  return parts;
}

/** FNV-1a over UTF-16 code units. */
function hash(text: string): number {
  let bits = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193);
  return (bits ^ (bits >>> 15)) >>> 0;
}
