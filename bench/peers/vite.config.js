/** Builds the page of the peers into dist-peers. */
import { fileURLToPath } from 'node:url';

export default {
  base: './',
  build: {
    target: 'es2022',
    outDir: '../../dist-peers',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: { input: fileURLToPath(new URL('bench.html', import.meta.url)) },
  },
};
