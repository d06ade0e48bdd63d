/**
 * The browser of a GPU machine that has neither network nor node_modules: ../shared/gpu brings it,
 * README.md says how.
 */
const { execFileSync } = require('child_process');
const { join } = require('path');

/** Where ../shared/gpu unpacks itself. */
const home = process.env.GPU_HOME ?? '/tmp/gpu';

/**
 * A function that starts the browser, with a profile of its own. The flags are those that
 * `remote.sh probe` found to give the GPU to WebGPU and to WebGL (ANGLE on Vulkan, else on EGL), or
 * the first of them where it has not been run; `extra` are added, as EXTRA_FLAGS in the environment
 * are.
 */
function gpuBrowser(extra = process.env.EXTRA_FLAGS ?? '') {
  const { chromium } = require(join(home, 'node_modules/playwright-core'));
  const [executablePath, ...lines] = execFileSync('bash', [join(home, 'remote.sh'), 'flags'], {
    encoding: 'utf8',
    env: { ...process.env, EXTRA_FLAGS: extra },
  })
    .trim()
    .split('\n');
  // A flag set is one line of several flags.
  const args = lines.flatMap((line) => line.split(/ (?=--)/));
  return () => chromium.launch({ executablePath, args, env: process.env });
}

/** Runs a script's `main` and ends the process with the exit status that it gives. */
function runMain(main) {
  main().then(
    (status) => process.exit(status),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = { gpuBrowser, home, runMain };
