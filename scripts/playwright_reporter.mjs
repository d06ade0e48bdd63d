/** A Playwright reporter for scripts/test.mjs: counts, and skipped tests with their reasons. */
import { writeFileSync } from 'node:fs';

export default class SummaryReporter {
  #suite;
  #errors = 0;
  onBegin(_config, suite) {
    this.#suite = suite;
  }
  /** Errors outside tests, such as an invalid configuration or a server that does not start. */
  onError() {
    this.#errors++;
  }
  onEnd() {
    const summary = { passed: 0, failed: this.#errors, skipped: [] };
    for (const test of this.#suite?.allTests() ?? []) {
      switch (test.outcome()) {
        case 'expected':
          summary.passed++;
          break;
        case 'skipped':
          summary.skipped.push({
            title: test.titlePath().filter(Boolean).join(' > '),
            reason:
              test.annotations
                .concat(test.results.flatMap((r) => r.annotations ?? []))
                .find((a) => a.type === 'skip' || a.type === 'fixme')?.description ??
              'no reason given: use test.skip(condition, "why")',
          });
          break;
        // A test that passes on a retry has failed once.
        default:
          summary.failed++;
      }
    }
    if (process.env.TEST_SUMMARY) writeFileSync(process.env.TEST_SUMMARY, JSON.stringify(summary));
  }
}
