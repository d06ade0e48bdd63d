/** Bundles node_ranks.ts for Node into dist-bench/ranks/ranks.mjs: one file, with the engine's builds. */
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type PluginOption } from 'vite';
import { assembly } from '../../vite/assembly.ts';
import { withoutTexts } from '../without_texts.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const outDir = `${root}/dist-bench/ranks`;

/** Puts the engine's builds beside the bundle. */
function withBuilds(): PluginOption {
  return {
    name: 'with-builds',
    closeBundle: () => {
      for (const name of ['plain', 'relaxed'])
        cpSync(`${root}/assembly/build/${name}.wasm`, `${outDir}/${name}.wasm`);
    },
  };
}

export default defineConfig({
  root,
  publicDir: false,
  cacheDir: '.vite-cache/ranks',
  plugins: [assembly(), withoutTexts(), withBuilds()],
  ssr: { noExternal: true },
  build: {
    target: 'es2022',
    ssr: 'bench/parallel/node_ranks.ts',
    outDir,
    emptyOutDir: true,
    minify: false,
    rolldownOptions: { output: { codeSplitting: false, entryFileNames: 'ranks.mjs' } },
  },
});
