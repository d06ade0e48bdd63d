import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findInstalled } from './scripts/browser.mjs';
import { launchOptions } from './scripts/flags.mjs';
import { assembly } from './vite/assembly.ts';
import { ISOLATION } from './vite/isolation.ts';
import { sotuAlias } from './vite/sotu.ts';
import { wordnetAlias } from './vite/wordnet.ts';

const executablePath = process.env.BROWSER_PATH ?? findInstalled()?.path;

export default defineConfig({
  cacheDir: '.vite-cache',
  plugins: [assembly()],
  resolve: { alias: [sotuAlias(), wordnetAlias()] },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          environment: 'node',
          // Every file has a thread of its own, which starts faster than a process.
          pool: 'threads',
          include: ['src/**/*.test.{ts,tsx}', 'bench/parallel/*.test.ts', 'bench/*.test.mjs'],
          exclude: ['src/**/*.browser.test.{ts,tsx}'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        // The built page in Firefox, which Playwright drives only in a build of its own.
        test: {
          name: 'firefox',
          environment: 'node',
          include: ['e2e/firefox/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        server: { headers: ISOLATION },
        // A package that Vite discovers during a run makes it reload the page, and the test fails.
        optimizeDeps: {
          include: [
            ...['core', 'backend-cpu', 'backend-wasm', 'backend-webgl', 'backend-webgpu'].map(
              (p) => `@tensorflow/tfjs-${p}`,
            ),
            '@tensorflow/tfjs',
            '@tensorflow/tfjs-core/dist/base_side_effects.js',
            ...[
              'backend_webgpu',
              'register_all_kernels',
              'kernels/Identity',
              'kernels/Reshape',
            ].map((m) => `@tensorflow/tfjs-backend-webgpu/dist/${m}.js`),
            '@huggingface/tokenizers',
            'fflate',
            'unique-names-generator',
            'zustand/vanilla',
            'valibot',
          ],
        },
        test: {
          name: 'browser',
          include: ['src/**/*.browser.test.{ts,tsx}', 'bench/**/*.browser.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: launchOptions(executablePath) }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
