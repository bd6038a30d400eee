// A page that is pushed to a browser, in a real Chromium: the worker shows it, a repeat takes the place of the first, and
// touching it opens its ticket. What the push service and the encryption do is judged in the server's own tests.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser, fake;
before(async () => { [browser, fake] = [await launch(), await startFake({ size: 10 })]; });
after(async () => { await browser?.close(); await fake?.close(); });

test('the worker shows what is pushed and leads to the ticket', async () => {
  const context = await browser.newContext({ permissions: ['notifications'] });
  const page = await context.newPage();
  await page.goto(fake.url);
  const registered = new Promise((found) => {
    void context.newCDPSession(page).then(async (cdp) => {
      cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => { if (registrations[0]) found({ cdp, id: registrations[0].registrationId }); });
      await cdp.send('ServiceWorker.enable');
      await page.evaluate(async () => { await navigator.serviceWorker.register('/push-worker.js'); await navigator.serviceWorker.ready; });
    });
  });
  const { cdp, id } = await registered;
  await page.evaluate(() => navigator.serviceWorker.ready);
  // What the browser shows once it shows exactly `bodies`, or what it shows after the time limit. What is judged is what was
  // read: a second reading may differ, as Chromium lists a page again and again while it puts one in the place of another.
  const shown = async (bodies, timeout = 15_000) => {
    const list = async () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body, tag, data, requireInteraction }) => ({ title, body, tag, link: data.link, requireInteraction })));
    const wanted = [...bodies].sort().join('\n');
    const until = Date.now() + timeout;
    for (;;) {
      const found = await list();
      if (found.map(({ body }) => body).sort().join('\n') === wanted || Date.now() > until) return found;
      await page.waitForTimeout(100);
    }
  };
  // Chromium drops what it is given before the worker is active, and says nothing.
  await page.evaluate(async () => {
    const { active } = await navigator.serviceWorker.ready;
    while (active.state !== 'activated') await new Promise((changed) => { active.addEventListener('statechange', changed, { once: true }); });
  });
  // Reading the list while Chromium still shows a page can lose that page: nothing is read before the worker has shown it.
  const worker = context.serviceWorkers()[0];
  await worker.evaluate(() => {
    self.told = 0;
    const show = self.registration.showNotification.bind(self.registration);
    self.registration.showNotification = async (...page) => { await show(...page); self.told += 1; };
  });
  let sent = 0;
  const push = async (data) => {
    await cdp.send('ServiceWorker.deliverPushMessage', { origin: fake.url, registrationId: id, data });
    sent += 1;
    for (const until = Date.now() + 15_000; await worker.evaluate(() => self.told) < sent && Date.now() < until;) await page.waitForTimeout(20);
  };
  const first = { title: '#1031 critical · North Gate · cam-06', body: 'none of the checks got an answer', tag: 'ticket-1031', urgent: true, link: `${fake.url}/tickets/1031` };
  await push(JSON.stringify(first));
  assert.deepEqual(await shown([first.body]), [{ title: first.title, body: first.body, tag: first.tag, link: first.link, requireInteraction: true }]);
  await push(JSON.stringify({ ...first, body: 'may be a repeat' }));
  // On a busy machine Chromium drops what comes while it still shows what came before.
  await shown(['may be a repeat']);
  await push(JSON.stringify({ title: '#1032 major', body: '端口无应答', tag: 'ticket-1032', link: `${fake.url}/tickets/1032` }));
  const now = await shown(['may be a repeat', '端口无应答']);
  assert.deepEqual(now.map((one) => [one.tag, one.body]).sort(), [['ticket-1031', 'may be a repeat'], ['ticket-1032', '端口无应答']]);
  // What cannot be read is shown all the same: a page is never swallowed.
  await push('plain words');
  const all = await shown(['may be a repeat', '端口无应答', '']);
  assert.ok(all.some((one) => one.title === 'plain words'), JSON.stringify(all));
  // Chromium lets no test touch a notification; the event is made in the worker, which may then not wait for it.
  const opened = await worker.evaluate(async () => {
    const went = [];
    self.clients.openWindow = async (url) => { went.push(url); };
    const [notification] = await self.registration.getNotifications({ tag: 'ticket-1032' });
    self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
    return went;
  });
  assert.deepEqual(opened, [`${fake.url}/tickets/1032`]);
  assert.equal((await shown(['may be a repeat', ''])).some((one) => one.tag === 'ticket-1032'), false);
  await context.close();
});
