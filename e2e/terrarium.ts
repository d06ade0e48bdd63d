/** A page object that finds elements by role and label, as users and screen readers do. */
import { readFile } from 'node:fs/promises';
import { expect, type Locator, type Page } from '@playwright/test';
import type { HeadlessStatus, MetricRecord } from '../src/protocol/index.ts';

/** One layer of width 16: small enough for software WebGPU. */
export const TINY = {
  'model.n_layer': 1,
  'model.n_head': 2,
  'model.n_embd': 16,
  'model.block_size': 16,
  'training.batch_size': 4,
  'training.max_iters': 40,
  'training.warmup_iters': 5,
  'training.eval_interval': 10,
  'training.eval_iters': 2,
  'sampling.sample_interval': 0,
  'sampling.max_new_tokens': 8,
  'runtime.autosave_interval': 0,
  'runtime.backend': 'wasm',
} as const;

/**
 * The same with steps of ten milliseconds or so on the processor, for runs that are met before their
 * end. No test waits for the end of this one.
 */
export const LASTING = {
  ...TINY,
  'model.n_embd': 64,
  'training.batch_size': 128,
  'training.max_iters': 1_000_000,
} as const;

export type Query = Record<string, string | number | boolean>;

/** The relative URL of the page with this configuration. */
export function addressOf(query: Query): string {
  const entries = Object.entries({ v: 1, ...query });
  return `./?${new URLSearchParams(entries.map(([key, value]) => [key, String(value)]))}`;
}

export class Terrarium {
  readonly sentence: Locator;
  readonly controls: Locator;
  readonly alert: Locator;

  constructor(readonly page: Page) {
    this.sentence = page.getByTestId('state-sentence');
    this.controls = page.getByRole('group', { name: 'Training', exact: true });
    this.alert = page.getByRole('alert');
  }

  async open(query: Query = {}): Promise<this> {
    await this.page.goto(addressOf(query));
    await expect(this.sentence).toBeVisible();
    return this;
  }

  button(name: string): Locator {
    return this.controls.getByRole('button', { name, exact: true });
  }
  /** Starts a run, or continues the one that is paused. */
  async train(): Promise<void> {
    const name = /^(Train|Resume|Train further|Start new run)$/u;
    await this.controls
      .locator('.main-button')
      .and(this.page.getByRole('button', { name }))
      .click();
  }
  async pause(): Promise<void> {
    await expect(this.button('Pause')).toBeVisible();
    // The key acts at once; a click would first wait for the button to be stable.
    await this.page.evaluate(() => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
    await this.page.keyboard.press('Space');
    await expect(this.sentence).toContainText('Paused');
  }
  async done(timeout = 120_000): Promise<void> {
    await expect(this.sentence).toContainText(/^Done/, { timeout });
  }

  /** The step in the status sentence, or 0 if it has none. */
  async step(): Promise<number> {
    const match = /Step ([\d,]+) of/.exec((await this.sentence.textContent()) ?? '');
    return match ? Number(match[1]?.replaceAll(',', '')) : 0;
  }
  /** Looks often, so that a run of few steps can be paused before its end. */
  async untilStep(step: number, timeout = 120_000): Promise<void> {
    await expect.poll(() => this.step(), { timeout, intervals: [50] }).toBeGreaterThanOrEqual(step);
  }

  async menu(item: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Menu' }).click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }
  /** Selects a menu item that downloads a file. */
  async download(item: string): Promise<{ name: string; bytes: Buffer }> {
    const waiting = this.page.waitForEvent('download', { timeout: 60_000 });
    await this.menu(item);
    const file = await waiting;
    return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
  }
  /** All metrics of the run, from "Metrics as JSON lines". */
  async metrics(): Promise<MetricRecord[]> {
    const { bytes } = await this.download('Metrics as JSON lines');
    return bytes
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as MetricRecord);
  }
}

/** Values of a metric by step. */
export const column = (records: readonly MetricRecord[], name: string): Map<number, number> =>
  new Map(
    records.flatMap((record) => {
      const value = record[name];
      return value === undefined ? [] : [[record.step, value] as const];
    }),
  );

/** The status of a page opened with `headless`. */
export const status = (page: Page): Promise<HeadlessStatus> =>
  page.evaluate(() => {
    if (!window.terrarium) throw new Error('The page was opened without headless.');
    return window.terrarium.status();
  });
export const records = (page: Page): Promise<MetricRecord[]> =>
  page.evaluate(() => {
    const all: MetricRecord[] = [];
    window.terrarium?.onRecord((record) => all.push(record))();
    return all;
  });

/**
 * Runs a script in the training worker before its own: what the browser is to lack. It is part of the
 * worker's file, because Playwright cannot add scripts to workers.
 */
export async function prepareWorker(page: Page, script: string): Promise<void> {
  // A service worker would fetch the file instead of the page.
  await page.addInitScript(() => {
    Object.defineProperty(navigator, 'serviceWorker', { value: undefined });
  });
  await page.route(/\/assets\/worker\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}

/** How much wider than the room beside the scrollbar the page is, in pixels. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const { documentElement, body } = document;
    return documentElement.scrollWidth - body.getBoundingClientRect().width;
  });
