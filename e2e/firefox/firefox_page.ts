/** The page in Firefox, driven over WebDriver BiDi by Puppeteer. */
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import type { MetricRecord } from '../../src/protocol/index.ts';

const SECOND = 1000;
const CHIP = '[data-testid="device-chip"]';
const DEVICE_DETAILS = '[role="dialog"][aria-label="Device details"] .device';

declare global {
  interface Window {
    /** Files that the page offered as downloads, newest last. */
    offeredFiles?: Blob[];
  }
}

export interface FirefoxOptions {
  executablePath: string;
  /** The folder of the profile, whose storage outlives the browser. */
  profile: string;
  url: string;
}

/** One browser with one tab. */
export class FirefoxPage {
  readonly #browser: Browser;
  readonly #page: Page;
  readonly #url: string;

  private constructor(browser: Browser, page: Page, url: string) {
    this.#browser = browser;
    this.#page = page;
    this.#url = url;
  }

  static async launch({ executablePath, profile, url }: FirefoxOptions): Promise<FirefoxPage> {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath,
      headless: true,
      userDataDir: profile,
    });
    const page = await browser.newPage();
    await page.setViewport({ width: 1440, height: 900 });
    await page.evaluateOnNewDocument(rememberDownloads);
    return new FirefoxPage(browser, page, url);
  }

  async open(search = ''): Promise<void> {
    await this.#page.goto(this.#url + search);
    await this.#page.waitForSelector('[data-testid="state-sentence"]');
  }

  /** Clicks the button or menu item with this name inside `within`, once it is enabled. */
  async click(name: string, within = 'body'): Promise<void> {
    const handle = await this.#page.waitForFunction(
      enabledButton,
      { timeout: 30 * SECOND },
      name,
      within,
    );
    const button = handle.asElement();
    if (!button) throw new Error(`There is no button ${name} in ${within}.`);
    await button.evaluate((element) => {
      if (element instanceof HTMLElement) element.click();
    });
  }

  async sentence(): Promise<string> {
    return this.#page.$eval(
      '[data-testid="state-sentence"]',
      (element) => element.textContent ?? '',
    );
  }

  /** Waits until the sentence of the bar matches, and returns it. */
  async untilSentence(pattern: RegExp, seconds = 120): Promise<string> {
    const end = Date.now() + seconds * SECOND;
    let sentence = '';
    while (Date.now() < end) {
      sentence = await this.sentence();
      if (pattern.test(sentence)) return sentence;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`The sentence is still "${sentence}" after ${seconds} s, not ${pattern}.`);
  }

  /** Waits for a step of the run, counted in the sentence of the bar. */
  async untilStep(step: number): Promise<void> {
    for (;;) {
      const sentence = await this.untilSentence(/[Ss]tep [\d,]+ of/);
      const reached = Number(/tep ([\d,]+) of/.exec(sentence)?.[1]?.replaceAll(',', ''));
      if (reached >= step) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What the page says about its device, once it has one. */
  async device(): Promise<string> {
    await this.#page.waitForFunction(hasDevice, { timeout: 60 * SECOND });
    await this.#page.click(CHIP);
    await this.#page.waitForSelector(DEVICE_DETAILS);
    const text = await this.#page.$eval(DEVICE_DETAILS, (element) =>
      element instanceof HTMLElement ? element.innerText : '',
    );
    await this.#page.keyboard.press('Escape');
    return text;
  }

  /** Training losses of the run by step, from the file "Metrics as JSON lines". */
  async losses(): Promise<Map<number, number>> {
    await this.#page.evaluate(() => {
      window.offeredFiles = [];
    });
    await this.click('Menu');
    await this.click('Metrics as JSON lines');
    await this.#page.waitForFunction(() => (window.offeredFiles ?? []).length > 0);
    const text = await this.#page.evaluate(() => window.offeredFiles?.at(-1)?.text() ?? '');
    const records = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as MetricRecord);
    return new Map(records.map((record) => [record.step, record['train/loss'] ?? NaN]));
  }

  async screenshot(path: `${string}.png`): Promise<void> {
    await this.#page.screenshot({ path });
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** Runs in the page: a button by its label or text. */
function enabledButton(name: string, within: string): Element | null {
  const buttons = [...document.querySelectorAll(`${within} button, ${within} [role="menuitem"]`)];
  const found = buttons.find(
    (one) => (one.getAttribute('aria-label') ?? one.textContent ?? '').trim() === name,
  );
  return found instanceof HTMLButtonElement && !found.disabled ? found : null;
}

/** Runs in the page: the chip names a device. */
function hasDevice(): boolean {
  const chip = document.querySelector('[data-testid="device-chip"]');
  return /^(WebGPU|WebGL|Processor)/u.test(chip?.textContent ?? '');
}

/** Runs in the page: keeps the files of downloads, which BiDi cannot read in headless Firefox. */
function rememberDownloads(): void {
  window.offeredFiles = [];
  const create = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (object: Blob | MediaSource): string => {
    if (object instanceof Blob) window.offeredFiles?.push(object);
    return create(object);
  };
}
