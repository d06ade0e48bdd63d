/** Bundles learning.ts for Node into dist-pool/learning.js: one file, without the page's texts. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { assembly } from '../../vite/assembly.ts';
import { sotuAlias } from '../../vite/sotu.ts';
import { wordnetAlias } from '../../vite/wordnet.ts';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  publicDir: false,
  cacheDir: '.vite-cache/pool',
  plugins: [assembly()],
  resolve: { alias: [sotuAlias(), wordnetAlias()] },
  ssr: { noExternal: true },
  build: {
    target: 'es2022',
    ssr: 'bench/pool/learning.ts',
    outDir: 'dist-pool',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: { output: { codeSplitting: false, entryFileNames: 'learning.js' } },
  },
});
