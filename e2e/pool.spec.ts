/** A room: pages train one model over WebRTC, by letters from the page's own server, or by codes. */
import { type Browser, expect, type Page, test } from '@playwright/test';
import { serveRoom } from '../scripts/room.mjs';
import { freePort } from '../scripts/port.mjs';
import { addressOf, TINY } from './terrarium.ts';

let url: string;
let server: Awaited<ReturnType<typeof serveRoom>>;

test.beforeAll(async () => {
  const port = await freePort();
  server = await serveRoom({ host: '127.0.0.1', port });
  url = `http://127.0.0.1:${port}/`;
});
test.afterAll(() => server.close());

const RECIPE = { ...TINY, 'training.max_iters': 20 };

/** A page of its own browser profile, and every address that it has asked for. */
async function laptop(browser: Browser, address: string) {
  const context = await browser.newContext({ baseURL: url });
  const page = await context.newPage();
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(address);
  return { page, hosts, errors, close: () => context.close() };
}

async function create(page: Page): Promise<string> {
  await page.getByLabel('Local steps (H)').fill('10');
  await page.getByLabel('Your name in the room').first().fill('Teacher');
  await page.getByRole('button', { name: 'Create the room' }).click();
  const code = page.getByTestId('room-code');
  await expect(code).toHaveText(/^[A-Z]{6}$/u, { timeout: 60_000 });
  return (await code.textContent()) ?? '';
}

const rowOf = (page: Page, name: string) =>
  page.getByTestId('members').getByRole('row').filter({ hasText: name });

/** Takes a code of the host's page to another one, and its answer back. */
async function letInByCode(host: Page, page: Page, name: string): Promise<void> {
  await host.getByText('Invite one member by a code').click();
  await host.getByRole('button', { name: 'Make a code' }).click();
  const code = await host.getByLabel('Code for one member').inputValue();
  await page.getByLabel('Your name in the room').last().fill(name);
  await page.getByText('Join by a code').click();
  await page.getByLabel('Code of the host').fill(code);
  await page.getByRole('button', { name: 'Make an answer' }).click();
  const answer = await page.getByLabel('Answer for the host').inputValue();
  await host.getByLabel('The member’s answer').fill(answer);
  await host.getByRole('button', { name: 'Let the member in' }).click();
}

test('pages train one model, by letters and by a code, and all keep it', async ({ browser }) => {
  const host = await laptop(browser, `${addressOf(RECIPE)}#together`);
  const code = await create(host.page);
  const guest = await laptop(browser, `./#together/${code}`);
  await guest.page.getByLabel('Your name in the room').last().fill('Pupil');
  await guest.page.getByRole('button', { name: 'Join', exact: true }).click();
  const coded = await laptop(browser, './#together');
  await letInByCode(host.page, coded.page, 'Coded');
  for (const name of ['Pupil', 'Coded']) {
    await expect(rowOf(host.page, name)).toContainText('ready', { timeout: 60_000 });
  }
  await host.page.getByRole('button', { name: 'Start training' }).click();
  for (const { page } of [host, guest, coded]) {
    await expect(page.getByTestId('room-sentence')).toContainText('saved as a run', {
      timeout: 90_000,
    });
    await expect(rowOf(page, 'Pupil')).toContainText(/2 of 2/u);
  }
  await expect(host.page.getByText(/Validation loss \d\.\d+ after 20 steps/u).last()).toBeVisible();
  const { host: served } = new URL(url);
  for (const { hosts, errors } of [host, guest, coded]) {
    expect([...hosts].filter((name) => name !== '' && name !== served)).toEqual([]);
    expect(errors).toEqual([]);
  }
  await host.close();
  await guest.close();
  await coded.close();
});
