/** Links to the recipe, also as a lesson. */
import { PRESETS, encodeConfig, encodeLesson, type FieldPath } from '../../config/index.ts';
import type { Client } from '../../store/index.ts';
import { goTo } from '../place.ts';

/** The link to the recipe of the form. It contains the configuration, not the text. */
export const recipeLink = (client: Client): string =>
  `${location.origin}${location.pathname}${encodeConfig(client.stores.form.getState().config)}`;

/** The link to a lesson in which students may change the fields in `open`. */
export function lessonLink(client: Client, open: readonly FieldPath[]): string {
  const { config, preset } = client.stores.form.getState();
  const base = PRESETS.find((one) => one.id === preset) ?? null;
  return location.origin + location.pathname + encodeLesson(config, open, base);
}

/** Copies a text. Resolves to false where the browser offers no clipboard, as on plain http. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Copies the link to the recipe, or shows it where there is no clipboard. */
export async function copyLink(client: Client): Promise<void> {
  if (await copyText(recipeLink(client)))
    client.notify('Link copied. It contains the configuration, not the text.');
  else goTo({ dialog: 'share' });
}

/** Copies the link to a lesson in which students may change what differs from the preset. */
export async function copyLessonLink(client: Client): Promise<void> {
  const { changed } = client.stores.form.getState();
  if (!(await copyText(lessonLink(client, [...changed])))) {
    goTo({ dialog: 'share' });
    return;
  }
  const what =
    changed.size > 0
      ? 'Students may change only what you changed.'
      : 'Students cannot change the recipe.';
  client.notify(`Lesson link copied. ${what} Choose other fields under Share in the menu.`);
}
