/**
 * The browser of a GPU machine without network and node_modules. The folder ../shared/gpu provides
 * it; README.md says how.
 */
const { execFileSync, spawnSync } = require('child_process');
const { existsSync, mkdtempSync } = require('fs');
const { tmpdir } = require('os');
const { join } = require('path');

/** The folder that ../shared/gpu is unpacked into. */
const home = process.env.GPU_HOME ?? '/tmp/gpu';

/** Flags for float16 and its subgroup matrices, which a visitor's browser does not have yet. */
const SUBGROUP_FLAGS = '--enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis';

/**
 * Options of Playwright's `chromium.launch`: the browser with the flags that `remote.sh probe` has
 * found to give WebGPU and WebGL the GPU (or the first set, if it has not run), EXTRA_FLAGS from the
 * environment, and `extra`.
 */
function launchOptions(extra = '') {
  const flags = [process.env.EXTRA_FLAGS, extra].filter(Boolean).join(' ');
  const [executablePath, ...lines] = execFileSync('bash', [join(home, 'remote.sh'), 'flags'], {
    encoding: 'utf8',
    env: { ...process.env, EXTRA_FLAGS: flags },
  })
    .trim()
    .split('\n');
  // A line may hold several flags.
  const args = lines.flatMap((line) => line.split(/ (?=--)/));
  return { executablePath, args, env: process.env };
}

/** Playwright's Chromium, as it is carried. */
const carriedChromium = () => require(join(home, 'node_modules/playwright-core')).chromium;

/** Returns a function that launches the browser with a new profile; see `launchOptions`. */
function gpuBrowser(extra = '') {
  const chromium = carriedChromium();
  const options = launchOptions(extra);
  return () => chromium.launch(options);
}

/** Finds the flags that give WebGPU and WebGL the GPU, once per machine. Returns what it prints. */
function probeOnce() {
  if (existsSync(join(home, 'flags'))) return '';
  const folder = mkdtempSync(join(tmpdir(), 'probe-'));
  const { stdout } = spawnSync('bash', [join(home, 'remote.sh'), 'probe', folder], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return stdout ?? '';
}

/** Runs a script's `main` and exits with the status that it returns. */
function runMain(main) {
  main().then(
    (status) => process.exit(status),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = {
  carriedChromium,
  gpuBrowser,
  home,
  launchOptions,
  probeOnce,
  runMain,
  SUBGROUP_FLAGS,
};
