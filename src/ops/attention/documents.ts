/**
 * Which rows of a sequence belong to the same document: several packed documents, or a sequence that
 * is shorter than the batch's rows.
 */

/**
 * Values of `document_starts` for one sequence of T rows that holds documents of these lengths, one
 * after another: for each row, the first row of its document. Rows beyond the last document are
 * padding and form documents of one row, so that they attend to themselves only.
 *
 * Batches whose rows have different lengths (prompts, preference pairs) need nothing else: such a
 * row is one document; with padding on the left, it follows documents of one row.
 *
 * Throws a RangeError if a length is not a positive integer or the documents do not fit.
 */
export function documentStartsOf(lengths: readonly number[], T: number): Int32Array {
  const starts = Int32Array.from({ length: T }, (_, row) => row);
  let start = 0;
  for (const length of lengths) {
    if (!(Number.isInteger(length) && length > 0))
      throw new RangeError(`A document cannot have ${length} tokens.`);
    if (start + length > T)
      throw new RangeError(`Documents of ${lengths.join(' + ')} tokens do not fit ${T} rows.`);
    starts.fill(start, start, start + length);
    start += length;
  }
  return starts;
}
