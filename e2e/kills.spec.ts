/**
 * Browsers that are killed and GPU devices that are lost in the middle of a run: no step is lost, and
 * all losses are equal to the bit to those of an undisturbed run. `KILLS=51 LOSSES=20 npx playwright
 * test e2e/kills.spec.ts` repeats them as often.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, expect, test, type Browser, type Page } from '@playwright/test';
import { browserFlags } from '../scripts/flags.mjs';
import { TINY, Terrarium, addressOf, column, records, status } from './terrarium.ts';

const KILLS = Number(process.env.KILLS ?? 5);
const LOSSES = Number(process.env.LOSSES ?? 1);
/** Steps between two kills, and between two losses, as those on software WebGPU are slow. */
const KILLS_APART = 20;
const LOSSES_APART = 12;
const recipe = { ...TINY, 'model.dropout': 0.1, 'runtime.autosave_interval': 4 };
/** Steps slow enough on the processor that a browser is killed between two of them. */
const SLOWLY = { 'model.n_embd': 64, 'training.batch_size': 128 } as const;

/** A browser of its own, with a profile that outlives it. */
interface Own {
  browser: Browser;
  page: Page;
  process: ChildProcess;
}

async function openBrowser(profile: string, url: string): Promise<Own> {
  await rm(join(profile, 'DevToolsActivePort'), { force: true });
  const path = process.env.BROWSER_PATH ?? chromium.executablePath();
  const flags = [...browserFlags, `--user-data-dir=${profile}`, '--remote-debugging-port=0'];
  // In a process group of its own, so that all processes of the browser are killed at once.
  const child = spawn(path, [...flags, 'about:blank'], { detached: true, stdio: 'ignore' });
  const port = await portOf(profile);
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  const page = await browser.contexts()[0]?.newPage();
  if (!page) throw new Error('The browser has no context.');
  await page.goto(url);
  return { browser, page, process: child };
}

/** The debugging port, which the browser writes into its profile. */
async function portOf(profile: string): Promise<string> {
  let text = '';
  await expect
    .poll(
      async () => {
        text = await readFile(join(profile, 'DevToolsActivePort'), 'utf8').catch(() => '');
        return text;
      },
      { timeout: 30_000, intervals: [50] },
    )
    .toContain('\n');
  return text.split('\n')[0] ?? '';
}

async function kill({ browser, process: child }: Own): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await ended;
  await browser.close().catch(() => undefined);
}

/**
 * Training losses that the only run in storage has, by step: every value that was ever written, since
 * steps after a checkpoint are taken again.
 */
const storedLosses = (page: Page): Promise<[number, number][]> =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const runs = await (await root.getDirectoryHandle('terrarium')).getDirectoryHandle('runs');
    const losses: [number, number][] = [];
    for await (const id of runs.keys()) {
      const folder = await runs.getDirectoryHandle(id);
      const file = await (await folder.getFileHandle('metrics.jsonl')).getFile();
      for (const line of (await file.text()).split('\n')) {
        if (!line.includes('"train/loss"') || !line.endsWith('}')) continue;
        const row = JSON.parse(line) as { step: number; 'train/loss': number };
        losses.push([row.step, row['train/loss']]);
      }
    }
    return losses;
  });

async function withProfile<T>(action: (profile: string) => Promise<T>): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), 'terrarium-kills-'));
  try {
    return await action(profile);
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Losses of a run that is disturbed by as many kills, in one profile. */
const trainWithKills = (url: string, kills: number): Promise<[number, number][]> =>
  withProfile(async (profile) => {
    for (let killed = 0; ; killed++) {
      const own = await openBrowser(profile, url);
      try {
        const terrarium = new Terrarium(own.page);
        if (killed === 0) await terrarium.train();
        else await own.page.getByRole('button', { name: 'Resume' }).first().click();
        if (killed === kills) {
          await terrarium.done();
          return await storedLosses(own.page);
        }
        await terrarium.untilStep(KILLS_APART * (killed + 1));
        // Another moment of the four steps between two saves each time.
        await own.page.waitForTimeout((killed * 7) % 29);
      } finally {
        await kill(own);
      }
    }
  });

/** Says and checks that each loss equals the one of the undisturbed run, and that no step is missing. */
function expectEqual(
  what: string,
  losses: readonly [number, number][],
  undisturbed: ReadonlyMap<number, number>,
): void {
  const equal = losses.filter(([step, loss]) => undisturbed.get(step) === loss).length;
  const known = new Set(losses.map(([step]) => step));
  const lost = [...undisturbed.keys()].filter((step) => !known.has(step)).length;
  console.log(
    `${what}, steps lost: ${lost}, losses equal to the bit: ${equal} of ${losses.length}`,
  );
  expect({ lost, equal }).toEqual({ lost: 0, equal: losses.length });
}

test('a browser that is killed again and again loses no step', async ({ baseURL }) => {
  test.setTimeout(60_000 + 60_000 * KILLS);
  const steps = KILLS_APART * (KILLS + 1);
  const query = { ...recipe, ...SLOWLY, 'training.max_iters': steps };
  const url = (baseURL ?? '') + addressOf(query).slice(2);
  const undisturbed = new Map(await trainWithKills(url, 0));
  expect(undisturbed.size).toBe(steps);
  expectEqual(`killed browsers: ${KILLS}`, await trainWithKills(url, KILLS), undisturbed);
});

test('a GPU that is lost again and again loses no step', async ({ page }) => {
  const limit = 60_000 + 60_000 * LOSSES;
  test.setTimeout(2 * limit);
  const steps = LOSSES_APART * (LOSSES + 1);
  const query = {
    ...recipe,
    'runtime.backend': 'webgpu',
    'training.max_iters': steps,
    headless: 1,
  };
  const terrarium = await new Terrarium(page).open(query);
  await terrarium.train();
  await terrarium.done(limit);
  const undisturbed = column(await records(page), 'train/loss');
  expect(undisturbed.size).toBe(steps);

  await terrarium.open(query);
  await terrarium.train();
  for (let lost = 1; lost <= LOSSES; lost++) {
    await terrarium.untilStep(LOSSES_APART * lost);
    await page.evaluate(() => window.terrarium?.loseDevice());
    const notice = page.locator('.message', { hasText: 'came back' });
    await notice.getByRole('button', { name: 'Dismiss' }).click({ timeout: 60_000 });
  }
  await terrarium.done(limit);
  expect((await status(page)).device?.backend).toBe('webgpu');
  const losses = (await records(page)).flatMap((record): [number, number][] => {
    const loss = record['train/loss'];
    return loss === undefined ? [] : [[record.step, loss]];
  });
  expectEqual(`lost devices: ${LOSSES}`, losses, undisturbed);
});
