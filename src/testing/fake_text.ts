/** Text for the scripted worker: it turns from babble into names as its loss falls. */
import type { TokenPiece } from '../protocol/index.ts';

const NAMES = [
  'Marcella',
  'Jorinda',
  'Tobiah',
  'Elswen',
  'Karolin',
  'Brendan',
  'Odalie',
  'Fenella',
  'Ruvim',
  'Adelin',
  'Sharlene',
  'Corben',
];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** A small generator with a seed (mulberry32), so that a screenshot can be taken twice. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const idOf = (text: string): number =>
  [...text].reduce((sum, c) => (sum * 31 + (c.codePointAt(0) ?? 0)) % 4096, 7);

/** Pieces of a sample; `skill` from 0 (babble) to 1 (words). */
export function fakePieces(random: () => number, skill: number, length: number): TokenPiece[] {
  const pieces: TokenPiece[] = [];
  while (pieces.length < length) {
    const name = NAMES[Math.floor(random() * NAMES.length)] ?? '';
    for (const letter of `${name}\n`) {
      const right = random() < skill * 1.15;
      const text = right ? letter : (LETTERS[Math.floor(random() * 26)] ?? 'e');
      pieces.push(
        fakePiece(
          text,
          right ? 0.15 + 0.85 * skill * random() ** 0.5 : 0.02 + 0.1 * random(),
          random,
        ),
      );
    }
  }
  return pieces.slice(0, length);
}

export function fakePiece(text: string, probability: number, random: () => number): TokenPiece {
  const rest = 1 - probability;
  const rivals = [0.5, 0.25, 0.12].map((share) => ({
    text: LETTERS[Math.floor(random() * 26)] ?? 'a',
    probability: rest * share,
  }));
  return { id: idOf(text), text, probability, rivals };
}
