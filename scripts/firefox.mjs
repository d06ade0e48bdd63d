/** Finds a Firefox that starts, for the suite `firefox`. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

function usualPlaces() {
  const { ProgramFiles = '', HOME = '' } = process.env;
  switch (process.platform) {
    case 'darwin':
      return ['/Applications', join(HOME, 'Applications')].map(
        (folder) => `${folder}/Firefox.app/Contents/MacOS/firefox`,
      );
    case 'win32':
      return [join(ProgramFiles, 'Mozilla Firefox/firefox.exe')];
    default:
      return ['/usr/lib/firefox-esr/firefox-esr', '/opt/firefox/firefox'];
  }
}

const onPath = () =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .flatMap((folder) => ['firefox-esr', 'firefox'].map((name) => join(folder, name)));

/** The version, or undefined if it does not start (Ubuntu's `firefox` is a stub without snap). */
function versionOf(path) {
  if (process.platform === 'win32') return 'unknown version';
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 60_000 });
  const version = (stdout ?? '').trim();
  return status === 0 && /\d+\./.test(version) ? version : undefined;
}

/**
 * The first Firefox that starts: the one in FIREFOX_PATH, or else one on PATH or in the usual places of
 * the system. Undefined if none does.
 */
export function findFirefox() {
  const { FIREFOX_PATH } = process.env;
  const paths = FIREFOX_PATH ? [FIREFOX_PATH] : [...onPath(), ...usualPlaces()];
  for (const path of paths) {
    const version = existsSync(path) ? versionOf(path) : undefined;
    if (version) return { path, version };
  }
  return undefined;
}
