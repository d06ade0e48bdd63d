import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { assembly } from './vite/assembly.ts';
import { ISOLATION } from './vite/isolation.ts';
import { CHUNKS, INITIAL_IN_ONE, TREESHAKE, offline, policyInBuildOnly } from './vite/page.ts';
import { sotuAlias } from './vite/sotu.ts';
import { wordnetAlias } from './vite/wordnet.ts';
import { withoutChecks } from './vite/without_checks.ts';

export default defineConfig({
  base: './',
  cacheDir: '.vite-cache',
  plugins: [assembly(), react(), policyInBuildOnly(), offline()],
  resolve: { alias: [sotuAlias(), wordnetAlias()] },
  worker: {
    format: 'es',
    plugins: () => [withoutChecks()],
    rolldownOptions: {
      treeshake: TREESHAKE,
      output: { entryFileNames: CHUNKS.worker, chunkFileNames: CHUNKS.worker, ...INITIAL_IN_ONE },
    },
  },
  build: {
    target: 'es2022',
    rolldownOptions: {
      output: { entryFileNames: CHUNKS.page, chunkFileNames: CHUNKS.page, ...INITIAL_IN_ONE },
    },
  },
  server: { headers: ISOLATION },
  preview: { headers: ISOLATION },
});
