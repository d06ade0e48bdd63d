/** Recipes outside the page: in a file, and in an address (`?recipe=`, base64 of JSON). */

const KEY = 'recipe';

/** An address that opens the page with this recipe. */
export function recipeAddress(source: unknown, base: string): string {
  const bytes = new TextEncoder().encode(JSON.stringify(source));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return `${base}?${KEY}=${encodeURIComponent(text)}`;
}

/** The recipe in a query, as JSON gave it; null if there is none. Throws a SyntaxError. */
export function recipeInAddress(search: string): unknown {
  const text = new URLSearchParams(search).get(KEY);
  if (text === null) return null;
  try {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new SyntaxError('The chain in the address is damaged; ask for the link again.');
  }
}
