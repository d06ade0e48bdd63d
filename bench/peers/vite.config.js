/** The peers' page, built into dist-peers beside dist-bench. */
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
