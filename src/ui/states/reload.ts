/** Reloads the page without losing steps of the run that trains. */
import { isActive, suspend, type Client } from '../../store/index.ts';

/** Pauses and saves the current run, if any, and reloads the page; stays if the save fails. */
export async function saveAndReload(client: Client): Promise<void> {
  if (await suspend(client)) location.reload();
  else client.notify('The page was not reloaded, because the current run could not be saved.');
}

/** The label of a button that does so. */
export const reloadLabel = (client: Client): string =>
  isActive(client.stores.run.getState().phase) ? 'Save the run and reload' : 'Reload the page';
