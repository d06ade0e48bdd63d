/**
 * A laptop of a room: a browser with a process and a profile of its own, and one page. It can be
 * killed, stopped and cut off as a laptop can. Needs nothing but node and Playwright.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { watchWire } from './wire.mjs';

const SECOND = 1000;
export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Browsers of one machine find each other also if it has no network. */
const LOCAL_FLAGS = ['--allow-loopback-in-peer-connection'];
/** Without these Chromium names addresses only of networks that have a route to the internet. */
const PERMISSIONS = ['microphone', 'camera'];

/** Resolves to what `look` returns as soon as that is true. */
export async function until(what, look, seconds = 120) {
  const end = Date.now() + seconds * SECOND;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: nothing after ${seconds} s.`);
    await wait(100);
  }
}

/** A wait that takes longer than this is told, and again after as long, seconds. */
const SLOW = 30;
/** A wait in which nothing that the pages show changes for so many times is given up. */
const MOST_SAME = 5;

/**
 * Resolves to what `action` does. While it takes long, prints on stderr what is waited for and what
 * the pages of `laptops` show. Rejects with the same if it fails, or if nothing changes on the pages.
 */
export async function telling(what, laptops, action) {
  const began = Date.now();
  const tell = async () => {
    const shown = await Promise.all(laptops.map((laptop) => laptop.describe()));
    const seconds = Math.round((Date.now() - began) / SECOND);
    return { title: `${what}: waited for ${seconds} s.`, shown: shown.join('\n    ') };
  };
  let giveUp = () => undefined;
  const stuck = new Promise((_, reject) => (giveUp = reject));
  const seen = [];
  const timer = setInterval(async () => {
    const { title, shown } = await tell();
    console.error(`${title}\n    ${shown}`);
    seen.push(shown.replace(/sleeps for \d+ s/gu, 'sleeps'));
    const latest = seen.slice(-MOST_SAME);
    if (latest.length === MOST_SAME && new Set(latest).size === 1) {
      giveUp(new Error(`Nothing has changed for ${(MOST_SAME - 1) * SLOW} s.`));
    }
  }, SLOW * SECOND);
  try {
    return await Promise.race([action(), stuck]);
  } catch (error) {
    const { title, shown } = await tell();
    throw new Error(`${title} ${error.message}\n    ${shown}`, { cause: error });
  } finally {
    clearInterval(timer);
  }
}

export class Laptop {
  #options;
  #process = null;
  #browser = null;
  page = null;

  /**
   * @param options `chromium` of Playwright, `executable` and `flags` of the browser, `folder` of the
   *   profile, `url` of the page, `name` of the member
   */
  constructor(options) {
    this.#options = options;
  }

  get name() {
    return this.#options.name;
  }

  /** Starts the browser, on the profile that it had before, and opens the page. */
  async open(address) {
    const { chromium, executable, flags, folder, url } = this.#options;
    const active = join(folder, 'DevToolsActivePort');
    rmSync(active, { force: true });
    const args = [...flags, ...LOCAL_FLAGS, '--remote-debugging-port=0'];
    // A process group of its own, which signals reach as a whole.
    this.#process = spawn(executable, [...args, `--user-data-dir=${folder}`, 'about:blank'], {
      detached: true,
      stdio: 'ignore',
    });
    const port = await until('A browser', () => {
      const text = existsSync(active) ? readFileSync(active, 'utf8') : '';
      return text.includes('\n') && text.split('\n')[0];
    });
    this.#browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    const [context] = this.#browser.contexts();
    await context.grantPermissions(PERMISSIONS, { origin: new URL(url).origin });
    this.page = context.pages()[0] ?? (await context.newPage());
    this.page.setDefaultTimeout(120 * SECOND);
    await this.page.addInitScript(watchWire);
    await this.page.goto(url + address);
    return this;
  }

  /** Sends a signal to all processes of the browser. */
  #signal(signal) {
    process.kill(-this.#process.pid, signal);
  }

  /** The power goes: no process of the browser gets to do anything more. */
  async kill() {
    const { exitCode, signalCode } = this.#process;
    // A browser that has crashed says so only once.
    const ended =
      exitCode === null && signalCode === null
        ? new Promise((done) => this.#process.once('exit', done))
        : Promise.resolve();
    try {
      this.#signal('SIGKILL');
    } catch (error) {
      // None of its processes is left.
      if (error.code !== 'ESRCH') throw error;
    }
    await ended;
    await this.#browser?.close().catch(() => undefined);
    this.#process = null;
  }

  /** The lid is closed for a while. */
  async freeze(seconds) {
    this.#signal('SIGSTOP');
    await wait(seconds * SECOND);
    this.#signal('SIGCONT');
  }

  /** The Wi-Fi is gone for a while: connections break, and new ones fail. */
  async disconnect(seconds) {
    await this.page.evaluate(() => window.wire.cut(true));
    await wait(seconds * SECOND);
    await this.page.evaluate(() => window.wire.cut(false));
  }

  async close() {
    if (this.#process) await this.kill();
  }

  async create(outer = {}) {
    const { page } = this;
    for (const [label, value] of Object.entries(outer)) await page.getByLabel(label).fill(value);
    await this.#fillName(page.getByLabel('Your name in the room').first());
    await page.getByRole('button', { name: 'Create the room' }).click();
    return page.getByTestId('room-code').textContent();
  }

  /** A made-up name arrives a moment after the page. */
  async #fillName(field) {
    await until('A name', () => field.inputValue());
    await field.fill(this.name);
  }

  async join() {
    await this.#fillName(this.page.getByLabel('Your name in the room').last());
    await this.page.getByRole('button', { name: 'Join', exact: true }).click();
  }

  /** Lets a laptop in by codes, which are carried between the two pages. */
  async letIn(member) {
    const { page } = this;
    const details = page.getByText('Invite one member by a code, without a server');
    const make = page.getByRole('button', { name: /^Make (a|another) code$/u });
    if (!(await make.isVisible())) await details.click();
    await make.click();
    const code = page.getByLabel('Code for one member: take it to the other laptop');
    await page.getByLabel('The member’s answer').fill(await member.answer(await code.inputValue()));
    await page.getByRole('button', { name: 'Let the member in' }).click();
    await code.waitFor({ state: 'detached' });
    const problem = page.getByLabel('Invite').getByRole('alert');
    if (await problem.isVisible()) throw new Error(await problem.innerText());
  }

  /** The connection that the page had by a code is lost. */
  needsCode() {
    return this.page.getByLabel('Another code').isVisible();
  }

  /** Joins by a code of the host, or comes back by another one. Returns the answer to it. */
  async answer(code) {
    const { page } = this;
    if (!(await this.needsCode())) {
      await this.#fillName(page.getByLabel('Your name in the room').last());
      await page.getByText('Join by a code, without a server').click();
    }
    await page.getByLabel('Code of the host').fill(code);
    await page.getByRole('button', { name: 'Make an answer' }).click();
    return page.getByLabel('Answer for the host').inputValue();
  }

  /** The host's page came back: opens its room again, and goes on. */
  async reopen() {
    await this.page.getByRole('button', { name: 'Open it again' }).click();
    await this.start();
  }

  async start() {
    await this.page.getByRole('button', { name: /^(Start training|Go on)$/u }).click();
  }

  /** Rows of the table of members in this phase. */
  count(phase) {
    const states = this.page.getByTestId('members').locator('[data-column=state]');
    return states.filter({ hasText: new RegExp(`^${phase}$`, 'u') }).count();
  }

  async sentence() {
    return (await this.page.getByTestId('room-sentence').textContent()) ?? '';
  }

  /** What the page shows of the room, in a line: its sentence, its problems, and its members. */
  describe() {
    const texts = (selector) => this.page.locator(selector).allInnerTexts();
    const look = async () => {
      const [sentence, problems, rows] = await Promise.all([
        texts('[data-testid=room-sentence]'),
        texts('[role=alert]'),
        texts('[data-testid=members] tbody tr'),
      ]);
      const members = rows.map((row) => row.replace(/\s+/gu, ' '));
      return [sentence[0] ?? 'not in a room', ...problems, ...members].join(' | ');
    };
    const silent = wait(5 * SECOND).then(() => 'the page does not answer');
    const shown = this.page === null ? 'its page is not open yet' : Promise.race([look(), silent]);
    return Promise.resolve(shown).then(
      (text) => `${this.name}: ${text}`,
      (error) => `${this.name}: ${error.message.split('\n')[0]}`,
    );
  }

  async isOver() {
    return (await this.sentence()).includes('saved as a run');
  }

  /** Rounds that the page counts as begun. */
  async round() {
    const sentence = await this.sentence();
    return Number(/(?:Round|after) ([\d,]+) /u.exec(sentence)?.[1]?.replaceAll(',', '') ?? 0);
  }

  /** The validation loss of the room's last weights, once the host has sent it to the others. */
  lastLoss() {
    return until('The last evaluation', async () => {
      const { plan, evaluations } = await this.wire();
      return Object.values(evaluations).find(({ step }) => step === plan?.steps)?.val_loss;
    });
  }

  /** What the page has sent to others since it was opened, by the type of the message. */
  wire() {
    return this.page.evaluate(() => window.wire);
  }
}
