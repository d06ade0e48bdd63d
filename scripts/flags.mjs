/** Seen to give WebGL the card in a headless browser on Linux, where WebGPU has it by Vulkan. */
const ANGLE_ON_VULKAN = [
  '--use-gl=angle',
  '--use-angle=vulkan',
  '--disable-vulkan-surface',
  '--ignore-gpu-blocklist',
];

/**
 * Flags of the test browser: the full browser in its new headless mode (not the headless shell,
 * which has no WebGPU), with both GPU backends in software. (SwiftShader writes out the zeroing of
 * workgroup memory value by value, which makes up nearly all of the compilation of a kernel with
 * shared memory; no kernel may count on zeros there.) On a machine with a GPU, BROWSER_GPU=1 leaves
 * the software adapters out.
 */
export const browserFlags = [
  '--headless=new',
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  ...(process.env.BROWSER_GPU
    ? ['--enable-features=Vulkan', ...(process.platform === 'linux' ? ANGLE_ON_VULKAN : [])]
    : [
        '--use-webgpu-adapter=swiftshader',
        '--enable-dawn-features=disable_workgroup_init',
        '--use-gl=angle',
        '--use-angle=swiftshader',
        '--enable-unsafe-swiftshader',
      ]),
];

/** How Playwright starts that browser: `executablePath` undefined means its own. */
export const launchOptions = (executablePath) => ({
  executablePath,
  args: browserFlags,
  ignoreDefaultArgs: ['--headless'],
});
