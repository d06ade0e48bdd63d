/** The page as someone uses it who has only a keyboard: nothing is clicked or focused by a script. */
import { expect, type Locator, type Page } from '@playwright/test';

type Role = 'button' | 'textbox' | 'radio' | 'checkbox' | 'combobox' | 'group';

interface Target {
  role: Role;
  name: string | RegExp;
}

/** More stops than any place of the page has. */
const MOST_PRESSES = 150;

/** The element that has the focus, if it is this one. */
const focused = (page: Page, { role, name }: Target): Locator =>
  page.locator(':focus').and(page.getByRole(role, { name, exact: typeof name === 'string' }));

/**
 * Presses Tab, or Shift and Tab, until the focus is on an element with this role and this accessible
 * name. Fails with the names of all the elements that had the focus.
 */
export async function tabTo(page: Page, target: Target, key = 'Tab'): Promise<void> {
  const passed: string[] = [];
  for (let presses = 0; presses < MOST_PRESSES; presses++) {
    if ((await focused(page, target).count()) > 0) {
      await expectSeen(page);
      return;
    }
    await page.keyboard.press(key);
    passed.push(await nameOfFocus(page));
  }
  throw new Error(
    `${key} does not reach the ${target.role} ${String(target.name)}, only: ${passed.join(' | ')}`,
  );
}

/** What has the focus must not lie below the bars of the page. */
async function expectSeen(page: Page): Promise<void> {
  const isSeen = (): Promise<boolean> =>
    page.evaluate(() => {
      const element = document.activeElement;
      if (!element) return false;
      // Radio buttons and the like are drawn by their labels.
      const drawn = element.closest('label') ?? element;
      const { left, top, width, height } = drawn.getBoundingClientRect();
      const hit = document.elementFromPoint(left + width / 2, top + Math.min(height, 40) / 2);
      return hit !== null && (drawn.contains(hit) || hit.contains(drawn));
    });
  await expect.poll(isSeen, { message: await nameOfFocus(page), intervals: [50] }).toBe(true);
}

const nameOfFocus = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const element = document.activeElement;
    const label = element instanceof HTMLInputElement ? element.labels?.[0] : null;
    const text = element?.getAttribute('aria-label') ?? label?.textContent ?? element?.textContent;
    return `${element?.tagName.toLowerCase() ?? 'nothing'} ${(text ?? '').trim().slice(0, 40)}`;
  });

/** Goes to a button, waits until it can be pressed, and presses it. */
export async function pressButton(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  const button = page.getByRole('button', { name, exact: typeof name === 'string' });
  await expect(button.first()).toBeEnabled();
  await tabTo(page, { role: 'button', name }, key);
  await page.keyboard.press('Enter');
}

/** Goes to a field and types over what it contains. */
export async function typeInto(page: Page, name: string, text: string): Promise<void> {
  await tabTo(page, { role: 'textbox', name });
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type(text);
}

/** Goes to a group of radio buttons and along it with the arrow keys. */
export async function chooseRadio(page: Page, group: string, name: RegExp): Promise<void> {
  const radios = page.getByRole('radiogroup', { name: group }).getByRole('radio');
  await tabTo(page, { role: 'radio', name: /./u });
  for (let left = await radios.count(); left > 0; left--) {
    if ((await focused(page, { role: 'radio', name }).count()) > 0) return;
    await page.keyboard.press('ArrowDown');
  }
  throw new Error(`The arrow keys do not reach ${String(name)} in ${group}.`);
}
