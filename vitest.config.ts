import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findInstalled } from './scripts/browser.mjs';
import { launchOptions } from './scripts/flags.mjs';
import { sotuAlias } from './vite/sotu.ts';

const executablePath = process.env.BROWSER_PATH ?? findInstalled()?.path;

export default defineConfig({
  cacheDir: '.vite-cache',
  resolve: { alias: [sotuAlias()] },
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'node', environment: 'node', include: ['src/**/*.test.{ts,tsx}'], exclude: ['src/**/*.browser.test.{ts,tsx}'], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: 'browser', include: ['src/**/*.browser.test.{ts,tsx}'], testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false,
          browser: {
            enabled: true, headless: true, screenshotFailures: false,
            provider: playwright({ launchOptions: launchOptions(executablePath) }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
