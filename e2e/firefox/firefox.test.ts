/** Firefox ESR trains the first preset and resumes it after it was closed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findFirefox } from '../../scripts/firefox.mjs';
import { serve } from '../../scripts/serve.mjs';
import { FirefoxPage } from './firefox_page.ts';

const firefox = findFirefox();
const PAUSE_AT = 15;
/** Compared after the pause. */
const RESUMED_STEPS = 25;

let server: Awaited<ReturnType<typeof serve>>;
let folder: string;
const launched: FirefoxPage[] = [];

beforeAll(async () => {
  if (!firefox) return;
  folder = mkdtempSync(join(tmpdir(), 'terrarium-firefox-'));
  server = await serve(console.log);
});

afterAll(async () => {
  if (!firefox) return;
  await Promise.all(launched.map((page) => page.close()));
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function launch(executablePath: string): Promise<FirefoxPage> {
  const page = await FirefoxPage.launch({ executablePath, profile: folder, url: server.url });
  launched.push(page);
  return page;
}

test('trains Names by the engine, and resumes it to the bit after Firefox was closed', async (context) => {
  if (!firefox) {
    context.skip('Firefox was not found; set FIREFOX_PATH or install Firefox ESR');
    return;
  }
  const first = await launch(firefox.path);
  await first.open();
  const device = await first.device();
  expect(device).toMatch(/^Processor/u);
  const adapter = /CPU, \d+ threads?, (relaxed )?SIMD/u.exec(device)?.[0];
  expect(adapter, `the engine in: ${device}`).toBeDefined();
  await first.click('Train Names', '.card');
  await first.untilStep(PAUSE_AT);
  await first.click('Pause', '.controls');
  await first.untilSentence(/^Paused/);
  const lossesBefore = await first.losses();
  const pausedAt = Math.max(...lossesBefore.keys());
  const compared = pausedAt + RESUMED_STEPS;
  await first.close();

  const second = await launch(firefox.path);
  await second.open();
  await second.click('Resume', '[data-testid="resume-offer"]');
  await second.untilStep(compared);
  await second.click('Stop', '.controls');
  await second.untilSentence(/^(Stopped|Done)/);
  const resumed = await second.losses();
  await second.open();
  await second.click('Train Names', '.card');
  await second.untilStep(compared);
  const uninterrupted = await second.losses();

  expect(lossesBefore.size).toBeGreaterThanOrEqual(PAUSE_AT);
  for (let step = 1; step <= compared; step++) {
    expect(resumed.get(step), `loss of step ${step}`).toBe(uninterrupted.get(step));
  }
  console.log(
    `${firefox.version}: ${compared} losses equal to the bit after a pause at ${pausedAt}, on ${adapter}.`,
  );
});
