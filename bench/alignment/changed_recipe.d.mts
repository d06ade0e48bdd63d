/** A recipe, as JSON, with some values changed. */
export function changedRecipe(recipe: unknown, changes: readonly string[]): unknown;
