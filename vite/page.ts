/** What the build adds to the page: the policy stays out of the dev server's way, and a service worker keeps the page. */
import type { PluginOption } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

/** The dev server refreshes modules by inline scripts and a socket, which the built page's policy rightly refuses. */
export function policyInBuildOnly(): PluginOption {
  return {
    name: 'policy-in-build-only', apply: 'serve',
    transformIndexHtml: { order: 'pre', handler: (html) => html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/u, '') },
  };
}

/** Where the build puts the page's parts and the worker's: the service worker precaches by folder. */
export const CHUNKS = { page: 'assets/page/[name]-[hash].js', worker: 'assets/worker/[name]-[hash].js' };

/** The page and the worker's own code are precached; backends, tokenizers and texts are kept once they have been used. */
export function offline(): PluginOption {
  return VitePWA({
    registerType: 'autoUpdate', injectRegister: 'script-defer',
    manifest: {
      name: 'Terrarium', short_name: 'Terrarium', description: 'Train a small language model inside a web page, on your own GPU.',
      start_url: './', scope: './', display: 'standalone', background_color: '#faf9f5', theme_color: '#24754a',
      icons: [{ src: 'icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
    },
    workbox: {
      globPatterns: ['index.html', '*.svg', 'assets/*.css', 'assets/page/*.js', 'assets/worker/worker-*.js'],
      maximumFileSizeToCacheInBytes: 8 * 2 ** 20,
      cleanupOutdatedCaches: true,
      runtimeCaching: [{
        // The same cache that src/worker/keep_offline.ts fills.
        urlPattern: ({ url, sameOrigin }) => sameOrigin && url.pathname.includes('/assets/'),
        handler: 'CacheFirst', options: { cacheName: 'kept', expiration: { maxEntries: 60 } },
      }],
    },
  });
}
