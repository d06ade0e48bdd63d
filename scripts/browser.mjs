/** Finds a Chrome or Chromium browser that starts, or installs one. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright';

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'msedge',
];

/** Paths at which browsers are installed on this system, other than on PATH. */
function usualPlaces() {
  const {
    ProgramFiles = '',
    'ProgramFiles(x86)': x86 = '',
    LOCALAPPDATA = '',
    HOME = '',
  } = process.env;
  switch (process.platform) {
    case 'darwin':
      return ['Google Chrome', 'Chromium', 'Microsoft Edge'].flatMap((app) =>
        ['/Applications', join(HOME, 'Applications')].map(
          (folder) => `${folder}/${app}.app/Contents/MacOS/${app}`,
        ),
      );
    case 'win32':
      return [ProgramFiles, x86, LOCALAPPDATA]
        .filter(Boolean)
        .flatMap((folder) => [
          join(folder, 'Google/Chrome/Application/chrome.exe'),
          join(folder, 'Chromium/Application/chrome.exe'),
          join(folder, 'Microsoft/Edge/Application/msedge.exe'),
        ]);
    default:
      return [
        '/opt/google/chrome/chrome',
        '/snap/bin/chromium',
        '/usr/lib/chromium/chromium',
        '/usr/lib/chromium-browser/chromium-browser',
      ];
  }
}

const onPath = () =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .flatMap((folder) =>
      NAMES.map((name) => join(folder, process.platform === 'win32' ? `${name}.exe` : name)),
    );

/** Playwright's full browser, if it is installed. */
function playwrights() {
  try {
    return [chromium.executablePath()];
  } catch {
    return [];
  }
}

/**
 * The version of a browser, or undefined if it does not start (Ubuntu's `chromium-browser` is a stub
 * without snap).
 */
function versionOf(path) {
  // On Windows `--version` opens a window instead of answering.
  if (process.platform === 'win32') return existsSync(path) ? 'unknown version' : undefined;
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 60_000 });
  const version = (stdout ?? '').trim();
  return status === 0 && /\d+\./.test(version) ? version : undefined;
}

/**
 * The first browser that starts: the one in BROWSER_PATH, or else one on PATH, in the usual places of the
 * system, or of Playwright. Undefined if none does.
 */
export function findInstalled() {
  const asked = process.env.BROWSER_PATH;
  if (asked) {
    const version = versionOf(asked);
    return version ? { path: asked, version, how: 'from BROWSER_PATH' } : undefined;
  }
  for (const [how, paths] of [
    ['on PATH', onPath()],
    ['where this system installs it', usualPlaces()],
    ['installed by Playwright', playwrights()],
  ]) {
    for (const path of paths) {
      const version = existsSync(path) ? versionOf(path) : undefined;
      if (version) return { path, version, how };
    }
  }
  return undefined;
}

const isRoot = () => process.getuid?.() === 0;
function isDebian() {
  try {
    return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/** Ways to install a browser, in order of preference: each is a list of commands. */
function installations() {
  const playwright = (...options) => [
    ['npx', 'playwright', 'install', '--no-shell', ...options, 'chromium'],
  ];
  const apt = [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'],
  ];
  return [playwright(), ...(isDebian() && isRoot() ? [apt, playwright('--with-deps')] : [])];
}

/** Finds a browser, or installs one. Throws an Error whose message is one sentence if neither works. */
export function findBrowser(log = console.error) {
  const found = findInstalled();
  if (found) return found;
  if (process.env.BROWSER_PATH)
    throw new Error(
      `The browser in BROWSER_PATH, ${process.env.BROWSER_PATH}, does not start: ` +
        'correct the path, or unset it to search for a browser.',
    );
  for (const commands of installations()) {
    for (const [command, ...args] of commands) {
      log(`No Chrome or Chromium starts here; trying: ${command} ${args.join(' ')}`);
      const { status } = spawnSync(command, args, {
        stdio: ['ignore', 2, 2],
        timeout: 600_000,
        shell: process.platform === 'win32',
      });
      if (status !== 0) break;
    }
    const installed = findInstalled();
    if (installed) return { ...installed, how: `${installed.how}, just installed` };
  }
  throw new Error(
    'No Chrome or Chromium was found, and none could be installed: install one, or set BROWSER_PATH.',
  );
}
