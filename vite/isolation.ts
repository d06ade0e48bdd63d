/** The headers that isolate a page from others, so that its workers may share memory. */
export const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/**
 * Runs in the service worker before Workbox: adds these headers to what Workbox answers, where the
 * host does not send them. The training worker's and its threads' programs get them always, which
 * changes nothing in a page that is not isolated; the page gets them if its user asked for it
 * (src/ui/bar/IsolationSwitch.tsx keeps that in a cache). Everything that the page loads is from its
 * own origin, and a URL that the user types is fetched with CORS, so isolation blocks none of it.
 *
 * The build copies this function into a script, so it refers to nothing else.
 */
export function isolateWhenAsked(headers: Record<string, string>): void {
  const isAsked = async (): Promise<boolean> =>
    (await caches.match('./isolated', { cacheName: 'isolation' })) !== undefined;
  const withHeaders = async (answer: Response | PromiseLike<Response>): Promise<Response> => {
    const response = await answer;
    const all = new Headers(response.headers);
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    const { status, statusText, body } = response;
    return new Response(body, { status, statusText, headers: all });
  };
  addEventListener('fetch', (event) => {
    if (!(event instanceof FetchEvent)) return;
    const { destination } = event.request;
    const respondWith = event.respondWith.bind(event);
    // Workbox, whose listener comes after this one, calls it.
    event.respondWith = (answer) => {
      if (destination === 'worker') respondWith(withHeaders(answer));
      else if (destination !== 'document') respondWith(answer);
      else respondWith(isAsked().then((asked) => (asked ? withHeaders(answer) : answer)));
    };
  });
}
