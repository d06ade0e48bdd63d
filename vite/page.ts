/**
 * What the build adds to the page: the policy stays out of the dev server's way, and a service
 * worker keeps the page.
 */
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { PluginOption } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

/**
 * The dev server refreshes modules by inline scripts and a socket, which the built page's policy
 * rightly refuses.
 */
export function policyInBuildOnly(): PluginOption {
  return {
    name: 'policy-in-build-only',
    apply: 'serve',
    transformIndexHtml: {
      order: 'pre',
      handler: (html) => html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/u, ''),
    },
  };
}

/**
 * Where the build puts the page's parts and the worker's: the service worker precaches by folder.
 */
export const CHUNKS = {
  page: 'assets/page/[name]-[hash].js',
  worker: 'assets/worker/[name]-[hash].js',
};

/**
 * Modules that register things which nobody here uses (tfjs's optimizers, its ways to save models)
 * may be left out; what tfjs needs of itself (`base_side_effects`) src/backend/start.ts imports by
 * name. The kernels register where we say so.
 */
export const TREESHAKE = {
  moduleSideEffects: [
    {
      test: /tfjs-core\/dist\/(index|io\/.*|optimizers\/.*|register_all_gradients|public\/.*)\.js$/u,
      sideEffects: false,
    },
    {
      test: /tfjs-backend-webgpu\/dist\/(kernels|kernel_utils)\/|tfjs-backend-webgpu\/dist\/(?!flags)\w+_(webgpu|util)\.js$/u,
      sideEffects: false,
    },
  ],
};

/**
 * The page and what the worker starts with are precached; backends, tokenizers and texts are kept
 * once they have been used.
 */
export function offline(): PluginOption {
  let outDir = 'dist';
  return [
    {
      name: 'where-the-build-goes',
      configResolved: (config) => {
        outDir = resolve(config.root, config.build.outDir);
      },
    },
    VitePWA({
      registerType: 'autoUpdate',
      injectRegister: 'script-defer',
      manifest: {
        name: 'Terrarium',
        short_name: 'Terrarium',
        description: 'Train a small language model inside a web page, on your own GPU.',
        start_url: './',
        scope: './',
        display: 'standalone',
        background_color: '#faf9f5',
        theme_color: '#24754a',
        icons: [{ src: 'icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
      },
      workbox: {
        globPatterns: [
          'index.html',
          '*.svg',
          'assets/*.css',
          'assets/page/*.js',
          'assets/worker/*.js',
        ],
        manifestTransforms: [
          (entries) => {
            const entry = entries.find(({ url }) => /^assets\/worker\/worker-/u.test(url));
            const needed = entry
              ? staticImports(join(outDir, 'assets/worker'), basename(entry.url))
              : new Set<string>();
            return {
              manifest: entries.filter(
                ({ url }) => !url.startsWith('assets/worker/') || needed.has(basename(url)),
              ),
              warnings: [],
            };
          },
        ],
        maximumFileSizeToCacheInBytes: 8 * 2 ** 20,
        cleanupOutdatedCaches: true,
        runtimeCaching: [
          {
            // The same cache that src/worker/keep_offline.ts fills.
            urlPattern: ({ url, sameOrigin }) => sameOrigin && url.pathname.includes('/assets/'),
            handler: 'CacheFirst',
            options: { cacheName: 'kept', expiration: { maxEntries: 60 } },
          },
        ],
      },
    }),
  ];
}

/** A chunk of `folder` and whatever it cannot start without: imports that are not `import()`. */
function staticImports(folder: string, chunk: string, found = new Set<string>()): Set<string> {
  if (found.has(chunk)) return found;
  found.add(chunk);
  for (const [, name] of readFileSync(join(folder, chunk), 'utf8').matchAll(
    /(?:from|import)\s*["'`]\.\/([\w.-]+\.js)["'`]/gu,
  )) {
    if (name !== undefined) staticImports(folder, name, found);
  }
  return found;
}
