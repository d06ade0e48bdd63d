/** Builds the bench page into dist-bench, apart from the page, so that visitors do not load it. */
import { fileURLToPath } from 'node:url';
import { defineConfig, type PluginOption } from 'vite';
import { assembly } from '../vite/assembly.ts';

/** Keeps the page's texts (tens of megabytes) out of the bench, which uses random tokens. */
function withoutTexts(): PluginOption {
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

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  publicDir: false,
  cacheDir: '../.vite-cache/bench',
  plugins: [assembly(), withoutTexts()],
  worker: { format: 'es', plugins: () => [withoutTexts()] },
  // Without minification, tfjs's kernels keep their names in profiles.
  build: {
    target: 'es2022',
    outDir: '../dist-bench',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: { input: fileURLToPath(new URL('bench.html', import.meta.url)) },
  },
});
