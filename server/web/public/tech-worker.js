// Keeps the technician's page so that it opens without a network: the page itself, its scripts and its styles. What is
// written and read over the API never passes through here; the page keeps that itself.
const NAME = 'sitewarden-tech';
const PAGE = '/tech';

/** Fetches the page anew and everything it names, then forgets what it no longer names. */
async function keep(response) {
  const cache = await caches.open(NAME);
  const html = await response.clone().text();
  const named = new Set([...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((found) => found[1]));
  for (const path of [...named]) {
    const kept = await cache.match(path);
    const file = kept ?? (await fetch(path));
    if (!file.ok) continue;
    if (!kept) await cache.put(path, file.clone());
    if (path.endsWith('.css') || path.endsWith('.js')) for (const [, inner] of (await file.clone().text()).matchAll(/["'(]((?:\/|\.\/)?(?:assets\/)?[\w.-]+-[\w-]{8}\.(?:svg|js|css|json))["')]/g)) named.add(new URL(inner, new URL(inner.startsWith('assets/') ? '/' : path, location.origin)).pathname);
  }
  for (const path of named) if (!(await cache.match(path))) await cache.add(path).catch(() => {});
  await cache.put(PAGE, response);
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (pathname !== PAGE && !named.has(pathname)) await cache.delete(request);
  }
}

self.addEventListener('install', (event) => event.waitUntil(fetch(PAGE, { cache: 'reload' }).then(keep).then(() => self.skipWaiting())));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== location.origin || url.pathname.startsWith('/api/')) return;
  if (event.request.mode === 'navigate') {
    if (url.pathname !== PAGE && !url.pathname.startsWith(`${PAGE}/`)) return;
    event.respondWith(
      fetch(event.request)
        .then((response) => {
          if (!response.ok) throw new Error(String(response.status));
          event.waitUntil(keep(response.clone()));
          return response;
        })
        .catch(async () => (await caches.match(PAGE)) ?? Response.error()),
    );
    return;
  }
  event.respondWith(caches.match(url.pathname).then((kept) => kept ?? fetch(event.request)));
});
