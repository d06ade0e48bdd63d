/**
 * Parts of the page that are downloaded when they are first needed: chunks that a dynamic import
 * asks for, the style sheets that come with them, and the program of the WebAssembly backend.
 */

/** A part that could not be downloaded. The message is one sentence. */
export class MissingPart extends Error {}

/** How Chromium, Firefox and Safari word a failed dynamic import, and Vite a failed style sheet. */
const MISSING =
  /dynamically imported module|Importing a module script failed|Unable to preload CSS/iu;

/** Whether `error` says that a part could not be downloaded. */
export const isMissingPart = (error: unknown): boolean =>
  error instanceof MissingPart || (error instanceof Error && MISSING.test(error.message));
