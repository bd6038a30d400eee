// The whole story in a browser against a running server and the simulated site: first sign-in, live devices, one breaks,
// the ticket and the page arrive, somebody takes it, the device returns, the ticket closes by itself.
// Needs SITEWARDEN_URL, SITEWARDEN_LOGIN, SITEWARDEN_PASSWORD and SIM_PANEL; `deploy/demo --run` sets them.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { OUT, need } from './live.mjs';

const FRESH = 'a sentence for the night shift';
const PATIENCE = { timeout: 60_000 };
const HOW = 'unplug';
let browser;
before(async () => { await mkdir(OUT, { recursive: true }); browser = await launch(); });
after(async () => { await browser?.close(); });

async function panel(path, body) {
  const response = await fetch(new URL(path, need('SIM_PANEL')), body ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {});
  assert.ok(response.ok, `the panel refused ${path}: ${response.status}`);
  return response.json();
}
/** Asks until the answer is there, at most as long as a wait in the page. */
async function until(ask) {
  const deadline = performance.now() + PATIENCE.timeout;
  while (performance.now() < deadline) {
    const found = await ask();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 250));
  }
  assert.fail('it did not happen in time');
}

test('a device fails, a ticket opens, a person is paged, and all is well again', async (t) => {
  const base = need('SITEWARDEN_URL').replace(/\/$/, '');
  const { page, errors, close } = await open(browser, `${base}/`);
  page.setDefaultTimeout(PATIENCE.timeout);
  t.after(close);
  const picture = (name) => page.screenshot({ path: `${OUT}live-${name}.png` });
  const victim = (await panel('devices')).find((device) => device.class === 'camera' && device.ways.includes(HOW));
  assert.ok(victim, 'the simulated site has a camera that can be unplugged');
  const chip = page.locator('[data-id]', { hasText: victim.name });
  let number;

  await t.test('the first sign-in asks for a password of one’s own', async () => {
    await page.locator('input[name=login]').fill(need('SITEWARDEN_LOGIN'));
    await page.locator('input[name=password]').fill(need('SITEWARDEN_PASSWORD'));
    await page.keyboard.press('Enter');
    await page.locator('input[name=again], .strip').first().waitFor();
    if (await page.locator('input[name=again]').count()) {
      await page.locator('input[name=old]').fill(need('SITEWARDEN_PASSWORD'));
      await page.locator('input[name=new]').fill(FRESH);
      await page.locator('input[name=again]').fill(FRESH);
      await page.keyboard.press('Enter');
    }
    await page.locator('.strip').waitFor();
  });
  await t.test('the live page shows the device well', async () => {
    await page.locator('.chip.ok[data-id]', { hasText: victim.name }).waitFor();
    await picture('well');
  });
  await t.test('the device breaks: its tile is down and a ticket nobody has appears', async () => {
    await panel(`devices/${victim.id}/break`, { how: HOW });
    await page.locator('.chip.down[data-id]', { hasText: victim.name }).waitFor();
    const card = page.locator('.inc.down:not(.slim)', { hasText: victim.name });
    await card.waitFor();
    number = await card.getAttribute('data-ticket');
    await picture('down');
  });
  await t.test('the page reaches the people', async () => {
    await until(async () => (await panel('pages')).some((sent) => JSON.stringify(sent).includes(`#${number}`) || JSON.stringify(sent).includes(`number\\":${number}`)));
    await page.goto(`${base}/tickets/${number}`);
    await page.locator('.pages .yes').first().waitFor();
  });
  await t.test('somebody takes it', async () => {
    await page.locator('.head [data-key=a]').waitFor();
    await page.keyboard.press('a');
    await page.locator('.ev b', { hasText: /^Acknowledged$/ }).waitFor();
    await picture('ticket');
  });
  await t.test('the device returns and the ticket closes by itself', async () => {
    await panel(`devices/${victim.id}/mend`, {});
    await page.locator('.head .state', { hasText: 'closed' }).waitFor();
    await page.locator('.ev b', { hasText: /^Closed$/ }).waitFor();
    await picture('closed');
    await page.goto(`${base}/`);
    await page.locator('.chip.ok[data-id]', { hasText: victim.name }).waitFor();
    assert.equal(await page.locator(`[data-ticket="${number}"]`).count(), 0);
  });
  await t.test('the device page has its states and its record', async () => {
    await chip.first().click();
    // Readings travel in blocks of five minutes, so a fresh demonstration has none to draw yet.
    await page.locator('.panel svg > rect').first().waitFor();
    await page.locator('.uplot canvas, .mainc p:has-text("No readings")').first().waitFor();
    await page.getByText(': raised').first().waitFor();
    await page.getByText(': cleared').first().waitFor();
    await picture('device');
  });
  // Asking who one is before signing in is answered with 401, which a browser writes into its console.
  assert.deepEqual(errors.filter((text) => !text.includes('401')), []);
});
