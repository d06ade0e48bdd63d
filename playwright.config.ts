/**
 * Tests of the built page (run `npm run build` first). One browser runs at a time: `npm test` runs
 * the browser tests on the other core.
 */
import { defineConfig } from '@playwright/test';
import { findInstalled } from './scripts/browser.mjs';
import { launchOptions } from './scripts/flags.mjs';
import { freePort } from './scripts/port.mjs';

// Worker processes load this file again and inherit these variables.
process.env.JOURNEY_PORT ??= String(await freePort());
const executablePath = process.env.BROWSER_PATH ?? findInstalled()?.path;
if (executablePath) process.env.BROWSER_PATH = executablePath;
const baseURL = `http://127.0.0.1:${process.env.JOURNEY_PORT}/`;

const viewport = { width: 1440, height: 900 };
/** A project of its own, so that `npm test` can run it beside nothing else. */
const LATENCY = 'latency.spec.ts';

export default defineConfig({
  testDir: 'e2e',
  // The suite `firefox` runs e2e/firefox (vitest.config.ts).
  testMatch: '*.spec.ts',
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 15_000 },
  forbidOnly: true,
  reporter: [['list'], ['./scripts/playwright_reporter.mjs']],
  use: { baseURL, launchOptions: launchOptions(executablePath), screenshot: 'only-on-failure' },
  projects: [
    { name: 'wide', testIgnore: LATENCY, use: { viewport } },
    { name: 'latency', testMatch: LATENCY, use: { viewport } },
  ],
  webServer: {
    command: `npx vite preview --host 127.0.0.1 --port ${process.env.JOURNEY_PORT} --strictPort`,
    url: baseURL,
  },
});
