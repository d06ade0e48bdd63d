/** Shows the error of a request that the page makes by itself. */
import type { Concern } from '../protocol/index.ts';
import type { Stores } from './stores.ts';
import { RequestError } from './worker_link.ts';

/**
 * Shows the error on the page, as that of its concern if there is one, if the worker refuses the
 * request. Resolves to whether it succeeded. A request that failed because its worker ended needs no
 * message of its own.
 */
export async function showingErrors(
  { run }: Pick<Stores, 'run'>,
  request: Promise<unknown>,
  concern?: Concern,
): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (!(error instanceof RequestError)) return false;
    const { plain } = error;
    if (!concern) run.setState({ error: plain, refused: plain });
    else run.setState(({ troubles }) => ({ troubles: { ...troubles, [concern]: plain } }));
    return false;
  }
}
