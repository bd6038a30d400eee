// Waiting, as the tests of the technician's page do.
import assert from 'node:assert/strict';

/** Until `check` holds. */
export async function waitFor(check, what) {
  const until = Date.now() + 15_000;
  while (!(await check())) {
    assert.ok(Date.now() < until, `waited for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
/** Until the worker has kept the page, so that it opens without a network. */
export async function isKept(page) {
  await page.evaluate(async () => { await navigator.serviceWorker.ready; });
  await waitFor(() => page.evaluate(async () => (await (await caches.open('sitewarden-tech')).keys()).some((one) => new URL(one.url).pathname === '/tech')), 'the kept page');
}
