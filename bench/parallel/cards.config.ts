/** Builds cards.html, one rank of two browsers, into dist-bench/cards. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { assembly } from '../../vite/assembly.ts';
import { withoutTexts } from '../without_texts.ts';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  publicDir: false,
  cacheDir: '../../.vite-cache/cards',
  plugins: [assembly(), withoutTexts()],
  worker: { format: 'es', plugins: () => [withoutTexts()] },
  build: {
    target: 'es2022',
    outDir: '../../dist-bench/cards',
    emptyOutDir: true,
    rolldownOptions: { input: fileURLToPath(new URL('cards.html', import.meta.url)) },
  },
});
