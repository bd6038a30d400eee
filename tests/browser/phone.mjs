// Waiting, as the tests of the technician's page do.
import assert from 'node:assert/strict';

/** Until `check` holds. */
export async function waitFor(check, what, ms = 15_000) {
  const until = Date.now() + ms;
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
/** Draws a wave and a dot as the customer's signature. */
export async function draw(page) {
  const box = await page.locator('.pad .field').boundingBox();
  await page.mouse.move(box.x + 40, box.y + box.height / 2);
  await page.mouse.down();
  for (let i = 1; i <= 20; i++) await page.mouse.move(box.x + 40 + i * 12, box.y + box.height / 2 + Math.sin(i) * 40);
  await page.mouse.up();
  await page.mouse.click(box.x + box.width - 60, box.y + box.height - 40);
}
