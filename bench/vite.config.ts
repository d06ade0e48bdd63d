/** Builds the bench page into dist-bench, apart from the page, so that visitors do not load it. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { assembly } from '../vite/assembly.ts';
import { withoutTexts } from './without_texts.ts';

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
