/** What is wrong with a value that was read by a schema, in words. */
import * as v from 'valibot';

/**
 * A clause such as "`weights` is "worst", not ("last" | "best")". Lists count from 1.
 *
 * @param lists What an entry of a list is called, by the name of the list.
 */
export function issueText(
  issue: v.BaseIssue<unknown>,
  lists: Readonly<Record<string, string>> = {},
): string {
  const place = placeOf(issue, lists);
  const expected = issue.expected ?? 'a valid value';
  if (issue.expected === 'never') return `${place} is unknown`;
  if (issue.received === 'undefined') return `${place} is missing`;
  if (issue.type === 'min_length') return `${place} is empty`;
  if (issue.type === 'max_length')
    return `${place} is too long, ${issue.received} where at most ${expected.slice(2)} fit`;
  return `${place} is ${issue.received}, not ${expected}`;
}

function placeOf(issue: v.BaseIssue<unknown>, lists: Readonly<Record<string, string>>): string {
  const path = v.getDotPath(issue);
  if (path === null) return 'the file';
  const [list = '', index = '', ...rest] = path.split('.');
  const entry = lists[list];
  if (entry === undefined || index === '') return path;
  const where = `${entry} ${Number(index) + 1}`;
  return rest.length > 0 ? `${rest.join('.')} of ${where}` : where;
}
