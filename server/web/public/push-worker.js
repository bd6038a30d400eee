// Shows a page that was pushed to this browser, and opens its ticket when it is touched. It keeps nothing.
self.addEventListener('push', (event) => {
  let page = {};
  try {
    page = event.data?.json() ?? {};
  } catch {
    page = { title: event.data?.text() };
  }
  event.waitUntil(
    self.registration.showNotification(page.title || 'Sitewarden', {
      body: page.body ?? '',
      tag: page.tag || undefined,
      renotify: Boolean(page.tag),
      requireInteraction: Boolean(page.urgent),
      data: { link: page.link || '/' },
    }),
  );
});
self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data?.link ?? '/'));
});
