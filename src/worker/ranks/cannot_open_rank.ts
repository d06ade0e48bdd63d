/** A rank of a parallel run cannot do what was asked. */
export class CannotOpenRank extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}
