/** What the storage budget removed, in words. */
import type { Pruned } from '../checkpoint/index.ts';

/** 1,234 MB; 0.4 MB; 12 kB */
export function sizeText(bytes: number): string {
  const [value, unit] = bytes < 1e5 ? [bytes / 1e3, 'kB'] : [bytes / 1e6, 'MB'];
  return `${value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 })} ${unit}`;
}

const runs = (names: readonly string[]): string =>
  names.length === 1 ? `“${names[0] ?? ''}”` : `${names.length} runs`;

/** One sentence for each kind of thing that was removed, and one if that was not enough. */
export function prunedSentences({ bytes, purged, thinned, excess }: Pruned): string[] {
  const sentences: string[] = [];
  if (purged.length > 0) {
    sentences.push(
      `To keep the storage budget, ${runs(purged)} among the deleted runs went for good.`,
    );
  }
  if (thinned.length > 0) {
    sentences.push(
      `To keep the storage budget, the checkpoint before the last one of ${runs(thinned)} was removed.`,
    );
  }
  if (bytes > 0) sentences.push(`That freed ${sizeText(bytes)}.`);
  if (excess > 0) {
    sentences.push(
      `The runs still exceed the storage budget by ${sizeText(excess)}, and only last and best` +
        ' checkpoints are left: delete runs, or raise the budget.',
    );
  }
  return sentences;
}
