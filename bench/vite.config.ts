/**
 * The bench page, a build of its own in dist-bench: a visitor of the page downloads nothing of it.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig, type PluginOption } from 'vite';

/**
 * The bench makes its tokens up: the texts that come with the page (tens of megabytes) stay out of
 * its build.
 */
function withoutTexts(): PluginOption {
  return {
    name: 'without-texts',
    enforce: 'pre',
    resolveId: (id) =>
      /^virtual:sotu\.txt|^@stdlib\/datasets|^kjv|\.(txt|json)\?url$/u.test(id)
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
  plugins: [withoutTexts()],
  worker: { format: 'es', plugins: () => [withoutTexts()] },
  // Not minified, so that tfjs's kernels keep their names in profiles.
  build: {
    target: 'es2022',
    outDir: '../dist-bench',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: { input: fileURLToPath(new URL('bench.html', import.meta.url)) },
  },
});
