/**
 * Plugins and options of the page's build: the content security policy applies to the built page
 * only, and a service worker makes the page available offline.
 */
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { PluginOption } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { ISOLATION, isolateWhenAsked } from './isolation.ts';

/**
 * Removes the content security policy in the dev server, which needs inline scripts and a socket to
 * refresh modules.
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

/** Paths of the page's and the worker's chunks. The service worker precaches by folder. */
export const CHUNKS = {
  page: 'assets/page/[name]-[hash].js',
  worker: 'assets/worker/[name]-[hash].js',
};

/**
 * Puts all modules that an entry imports statically into one chunk. By default each set of modules
 * that a lazy part shares with the entry becomes a chunk of its own, and many small chunks compress
 * worse than a large one.
 */
export const INITIAL_IN_ONE = {
  codeSplitting: { groups: [{ name: 'initial', tags: ['$initial' as const] }] },
};

const TFJS_CORE =
  /tfjs-core\/dist\/(index|io\/.*|optimizers\/.*|register_all_gradients|public\/.*)\.js$/u;
const TFJS_WEBGPU_KERNELS = /tfjs-backend-webgpu\/dist\/(kernels|kernel_utils)\//u;
const TFJS_WEBGPU_PROGRAMS = /tfjs-backend-webgpu\/dist\/(?!flags)\w+_(webgpu|util)\.js$/u;

/**
 * Drops modules of tfjs whose only effect is to register something unused, such as optimizers and
 * model formats. src/backend imports the registrations that it needs by name
 * (`base_side_effects`, and each kernel).
 */
export const TREESHAKE = {
  moduleSideEffects: [TFJS_CORE, TFJS_WEBGPU_KERNELS, TFJS_WEBGPU_PROGRAMS].map((test) => ({
    test,
    sideEffects: false,
  })),
};

/**
 * Chunks of the worker up to this many bytes are precached too, so that a page that is open while a
 * new build replaces them still finds its generator or profiler, and that threads and ranks can start
 * for the first time without a network. Larger ones are backends.
 */
const SMALL_CHUNK = 60_000;

/** Of the service worker: what adds headers to its answers. */
const ISOLATION_SCRIPT = 'isolation.js';

interface CachedResponse {
  request: Request;
  cachedResponse?: Response | null;
}

/**
 * Looks for a part of the build before, which src/ui/states/update.ts has kept for tabs that still
 * show it. The build copies this function into the service worker, so it refers to nothing else.
 */
const orPreviousPart = async ({ request, cachedResponse }: CachedResponse) =>
  cachedResponse ?? (await caches.match(request, { cacheName: 'previous', ignoreVary: true }));

/**
 * A service worker. It precaches the page, the chunks that the worker starts with and small ones,
 * and caches backends, tokenizers and texts when they are first used.
 */
export function offline(): PluginOption {
  let outDir = 'dist';
  return [
    {
      name: 'output-folder',
      configResolved: (config) => {
        outDir = resolve(config.root, config.build.outDir);
      },
    },
    {
      name: 'isolation-of-the-page',
      apply: 'build',
      generateBundle() {
        const source = `(${isolateWhenAsked.toString()})(${JSON.stringify(ISOLATION)});\n`;
        this.emitFile({ type: 'asset', fileName: ISOLATION_SCRIPT, source });
      },
    },
    VitePWA({
      // src/ui/states/update.ts registers it, and asks before a new build takes over.
      registerType: 'prompt',
      injectRegister: false,
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
        importScripts: [ISOLATION_SCRIPT],
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
            if (!entry) return { manifest: entries, warnings: [] };
            const folder = join(outDir, 'assets/worker');
            const needed = importsOf(folder, basename(entry.url), STATIC_IMPORT);
            // Not the chunks of the other worker, which has stock TensorFlow.js.
            const own = importsOf(folder, basename(entry.url), ANY_IMPORT);
            const isKept = (chunk: string, size: number): boolean =>
              needed.has(chunk) || (own.has(chunk) && size <= SMALL_CHUNK);
            return {
              manifest: entries.filter(
                ({ url, size }) => !url.startsWith('assets/worker/') || isKept(basename(url), size),
              ),
              warnings: [],
            };
          },
        ],
        maximumFileSizeToCacheInBytes: 8 * 2 ** 20,
        cleanupOutdatedCaches: true,
        clientsClaim: true,
        runtimeCaching: [
          {
            // src/worker/keep_offline.ts fills the same cache.
            urlPattern: ({ url, sameOrigin }) => sameOrigin && url.pathname.includes('/assets/'),
            handler: 'CacheFirst',
            // A host's `Vary: Origin` would hide what a worker has put there.
            options: {
              cacheName: 'kept',
              expiration: { maxEntries: 60 },
              matchOptions: { ignoreVary: true },
              plugins: [{ cachedResponseWillBeUsed: orPreviousPart }],
            },
          },
        ],
      },
    }),
  ];
}

const STATIC_IMPORT = /(?:from|import)\s*["'`]\.\/([\w.-]+\.js)["'`]/gu;
/** Dynamic ones, too, and the workers that a worker starts. */
const ANY_IMPORT = /(?:(?:from|import\(?)\s*["'`]\.\/|new URL\(["'`])([\w.-]+\.js)["'`]/gu;

/** A chunk of `folder` and all chunks that it imports, directly or indirectly. */
function importsOf(
  folder: string,
  chunk: string,
  pattern: RegExp,
  found = new Set<string>(),
): Set<string> {
  if (found.has(chunk)) return found;
  found.add(chunk);
  for (const [, name] of readFileSync(join(folder, chunk), 'utf8').matchAll(pattern)) {
    if (name !== undefined) importsOf(folder, name, pattern, found);
  }
  return found;
}
