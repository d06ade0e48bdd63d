/**
 * A vitest reporter for scripts/test.mjs: counts, and skipped tests with their reasons, which the
 * JSON reporter omits.
 */
import { writeFileSync } from 'node:fs';

const REASON = 'no reason given: skip with context.skip("why")';

export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: 0, skipped: [] };
    for (const module of modules) {
      // A file that does not load has errors and no tests.
      if (module.errors().length > 0) summary.failed++;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') summary.passed++;
        else if (result.state === 'failed') summary.failed++;
        else
          summary.skipped.push({
            title: `${module.relativeModuleId} > ${test.fullName}`,
            reason: result.note ?? REASON,
          });
      }
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) summary.failed++;
    }
    summary.failed += unhandledErrors.length;
    if (process.env.TEST_SUMMARY) writeFileSync(process.env.TEST_SUMMARY, JSON.stringify(summary));
  }
}
