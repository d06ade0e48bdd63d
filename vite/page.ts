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

/** Page, worker and wasm are precached; corpora, which are large, are kept once they have been read. */
export function offline(): PluginOption {
  return VitePWA({
    registerType: 'autoUpdate', injectRegister: 'script-defer',
    manifest: {
      name: 'Terrarium', short_name: 'Terrarium', description: 'Train a small language model inside a web page, on your own GPU.',
      start_url: './', scope: './', display: 'standalone', background_color: '#faf9f5', theme_color: '#24754a',
      icons: [{ src: 'icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
    },
    workbox: {
      globPatterns: ['**/*.{html,js,css,svg,wasm}'],
      maximumFileSizeToCacheInBytes: 8 * 2 ** 20,
      cleanupOutdatedCaches: true,
      runtimeCaching: [{
        urlPattern: ({ url, sameOrigin }) => sameOrigin && /\.(?:txt|json|bin)$/u.test(url.pathname),
        handler: 'CacheFirst', options: { cacheName: 'corpora', expiration: { maxEntries: 16 } },
      }],
    },
  });
}
