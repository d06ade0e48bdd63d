/** Says which parts of a link could not be used. */
import type { ConfigError } from '../config/index.ts';

/** More problems than this are only counted. */
const MAX_NOTICES = 3;

/** One notice for each of the first problems, and one for the rest. */
export function addressNotices(problems: readonly ConfigError[]): string[] {
  const notices = problems.slice(0, MAX_NOTICES).map(noticeOf);
  const rest = problems.length - notices.length;
  if (rest > 0) notices.push(`${rest} more parts of the link were left out.`);
  return notices;
}

function noticeOf({ code, message, hint, field }: ConfigError): string {
  switch (code) {
    case 'unknown_version':
    case 'too_long':
    case 'not_a_config':
      return `The link was left out. ${message} ${hint}`;
    case 'unknown_preset':
      return `The link's preset was left out. ${message} ${hint}`;
    case 'unknown_key':
      return `“${field ?? ''}” in the link was left out, because this page has no such field. ${hint}`;
    case 'bad_value':
    case 'duplicate_key':
      return `“${field ?? ''}” in the link was left out. ${message} ${hint}`;
    default:
      return code satisfies never;
  }
}
