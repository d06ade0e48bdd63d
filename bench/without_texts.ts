/** Keeps the page's texts (tens of megabytes) out of the bench, which uses random tokens. */
import type { PluginOption } from 'vite';

export function withoutTexts(): PluginOption {
  return {
    name: 'without-texts',
    enforce: 'pre',
    resolveId: (id) =>
      /^virtual:(sotu|wordnet)\.txt|^@stdlib\/datasets|^kjv|\.(txt|json)\?url$/u.test(id)
        ? '\0no-text'
        : null,
    load: (id) => (id === '\0no-text' ? 'export default "";' : null),
  };
}
