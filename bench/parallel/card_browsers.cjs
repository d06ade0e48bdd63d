/** Browsers that see one card each, two pages joined by codes, and what the cards do meanwhile. */
const { spawn, spawnSync } = require('child_process');
const { chmodSync } = require('fs');
const { dirname, join } = require('path');
const { carriedChromium, launchOptions } = require('../gpu_browser.cjs');

const wrapper = join(dirname(module.filename), 'one_card.sh');

/** Browsers of one machine find each other also if it has no network. */
const LOCAL_FLAGS = '--allow-loopback-in-peer-connection';
/** Without these Chromium names addresses only of networks that have a route to the internet. */
const PERMISSIONS = ['microphone', 'camera'];

/** Whether a program can be bound to a card, and why not. */
function tryBinding() {
  // A copied tree may have lost its modes.
  chmodSync(wrapper, 0o755);
  const env = { ...process.env, CARD: '0', CARD_BROWSER: '/bin/true' };
  const { status, stderr, error } = spawnSync(wrapper, [], { env, encoding: 'utf8' });
  return { bound: status === 0, why: status === 0 ? '' : String(error ?? stderr).trim() };
}

/** Launches a browser with a process and a profile of its own; `bound` to the card of this index. */
function launchOn(card, bound) {
  const { executablePath, args, env } = launchOptions(LOCAL_FLAGS);
  if (!bound) return carriedChromium().launch({ executablePath, args, env });
  const own = { ...env, CARD: String(card), CARD_BROWSER: executablePath };
  return carriedChromium().launch({ executablePath: wrapper, args, env: own });
}

/** Opens cards.html in a context of its own. */
async function openPage(browser, url) {
  const context = await browser.newContext({ permissions: PERMISSIONS });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(message.text().slice(0, 300));
  });
  await page.goto(`${url}cards.html`);
  await page.waitForFunction(() => window.cards !== undefined);
  return page;
}

/** Carries the codes from one page to the other and back, once for each channel. */
async function connectPages([first, second], channels = 1) {
  for (let i = 0; i < channels; i++) {
    const offer = await first.evaluate(() => window.cards.invite());
    const answer = await second.evaluate((code) => window.cards.answer(code), offer);
    await Promise.all([
      first.evaluate((code) => window.cards.connect(code), answer),
      second.evaluate(() => window.cards.connect(null)),
    ]);
  }
}

/** What nvidia-smi says of all cards, twice a second, until `stop`. */
class CardWatch {
  /** { at: time of Date.now(), card, utilization: per cent, memory: MiB } */
  samples = [];
  #process;

  constructor() {
    const query = '--query-gpu=index,utilization.gpu,memory.used';
    this.#process = spawn('nvidia-smi', [query, '--format=csv,noheader,nounits', '-lms', '500'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    // Without nvidia-smi there are no samples.
    this.#process.on('error', () => undefined);
    let rest = '';
    this.#process.stdout.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  #take(line) {
    const [card, utilization, memory] = line.split(',').map(Number);
    if (Number.isFinite(utilization)) {
      this.samples.push({ at: Date.now(), card, utilization, memory });
    }
  }

  /** By card: mean and largest utilization in per cent, and largest memory in MiB, since a time. */
  since(time) {
    const cards = {};
    for (const { at, card, utilization, memory } of this.samples) {
      if (at >= time) (cards[card] ??= []).push({ utilization, memory });
    }
    return Object.entries(cards).map(([card, all]) => {
      const used = all.map(({ utilization }) => utilization);
      return {
        card: Number(card),
        mean: Math.round(used.reduce((sum, one) => sum + one, 0) / used.length),
        most: Math.max(...used),
        memory: Math.max(...all.map((one) => one.memory)),
      };
    });
  }

  stop() {
    this.#process.kill();
  }
}

module.exports = { CardWatch, connectPages, launchOn, openPage, tryBinding };
