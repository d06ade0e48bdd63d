/** These give WebGL the GPU in a headless browser on Linux, where WebGPU uses Vulkan. */
const ANGLE_ON_VULKAN = [
  '--use-gl=angle',
  '--use-angle=vulkan',
  '--disable-vulkan-surface',
  '--ignore-gpu-blocklist',
];

/**
 * Flags of the test browser: the full browser in its new headless mode (the headless shell has no
 * WebGPU), with both GPU APIs in software. With BROWSER_GPU=1 it uses the GPU.
 *
 * `--disable-gpu-compositing`: SwiftShader takes twice as long as the processor to draw the page.
 *
 * `disable_workgroup_init`: SwiftShader unrolls the zeroing of workgroup memory, which is nearly all
 * of the compilation time of a kernel with shared memory. No kernel may rely on those zeros.
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
        '--disable-gpu-compositing',
      ]),
];

/** Playwright's options for that browser; without `executablePath` it launches its own. */
export const launchOptions = (executablePath) => ({
  executablePath,
  args: browserFlags,
  ignoreDefaultArgs: ['--headless'],
});
