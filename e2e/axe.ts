/** Accessibility by axe's rules. */
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/**
 * An axe run that reports violations alone, without selectors of every element that passes.
 * The page has no frames of other origins, so it needs no page beside it to put results together.
 */
export const axeOf = (page: Page, tags: readonly string[]): AxeBuilder =>
  new AxeBuilder({ page })
    .setLegacyMode()
    .options({ resultTypes: ['violations'] })
    .withTags([...tags]);
