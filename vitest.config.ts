import { existsSync } from 'node:fs';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { sotuAlias } from './vite/sotu.ts';

/** Both GPU backends without a GPU; on a machine with one, BROWSER_GPU=1 leaves the software adapters out. */
export const browserFlags = [
  '--headless=new', '--no-sandbox', '--enable-unsafe-webgpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ...(process.env.BROWSER_GPU ? [] : ['--use-webgpu-adapter=swiftshader', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader']),
];
const executablePath = process.env.BROWSER_PATH ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((p) => existsSync(p));

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
            provider: playwright({ launchOptions: { executablePath, args: browserFlags, ignoreDefaultArgs: ['--headless'] } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
