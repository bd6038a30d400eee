// The customer signs on the technician's phone, with and without a network.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';
import { draw, isKept, waitFor } from './phone.mjs';

const PHONE = { width: 390, height: 844, touch: true };
const JOB = '00000000-0000-4000-8000-000000000001';
let browser;
const fakes = [];
const start = async () => {
  const fake = await startFake({ size: 10 });
  fakes.push(fake);
  for (const kind of ['accepted', 'arrived', 'working', 'done']) fake.world.visits.answer('PUT', ['visits', JOB, 'steps', `was-${kind}`], new URLSearchParams(), { kind, source: 'phone' });
  return fake;
};
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); await Promise.allSettled(fakes.map((fake) => fake.close())); });
const visit = (fake) => fake.world.visits.visits.find((one) => one.id === JOB);
const signed = (fake) => visit(fake).events.filter((event) => event.kind === 'signed');

for (const look of [{ ...PHONE, theme: 'dark', language: 'en' }, { ...PHONE, theme: 'light', language: 'zh' }]) {
  test(`the pad fills the screen and can be used with a thumb at ${look.theme} ${look.language}`, async () => {
    const fake = await start();
    const { page, errors, close } = await open(browser, `${fake.url}/tech#${JOB}`, look);
    await page.locator('[data-next="signed"]').click();
    const box = await page.locator('.pad .field').boundingBox();
    assert.ok(box.width >= 340 && box.height >= 200, JSON.stringify(box));
    assert.equal(await page.locator('.sheet .main').isDisabled(), true, 'nothing is signed yet');
    const { violations } = await new AxeBuilder({ page }).analyze();
    assert.deepEqual(violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)}`), []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'no wider than the phone');
    const small = await page.evaluate(() => [...document.querySelectorAll('.sheet button, .sheet .five label, .sheet .input')].filter((part) => part.getBoundingClientRect().height < 47.5).map((part) => part.outerHTML.slice(0, 100)));
    assert.deepEqual(small, [], 'too small for a thumb');
    await draw(page);
    await page.locator('.clear').click();
    assert.equal(await page.locator('.sheet .main').isDisabled(), true, 'what is cleared is gone');
    assert.deepEqual(errors, []);
    await close();
  });
}

test('a signature that was given without a network is kept, sent once and shown', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech`, PHONE);
  await page.locator('.card').first().waitFor();
  await isKept(page);
  await page.context().setOffline(true);
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.reload();
  await page.locator('[data-next="signed"]').click();
  await page.locator('[name="who"]').fill('周女士');
  await page.locator('[name="opinion"]').fill('很快，谢谢');
  await page.locator('.five label').nth(4).click();
  await draw(page);
  await page.locator('.sheet .main').click();
  await page.getByText('1 step waits to be sent.').waitFor();
  await page.reload();
  await page.getByText('1 step waits to be sent.').waitFor();
  assert.equal(signed(fake).length, 0, 'nothing has been sent');
  // The first answer is lost on its way.
  let cut = 0;
  await page.route('**/steps/*', async (route) => { if (cut++ < 1) { await route.fetch(); await route.abort(); } else await route.continue(); });
  await page.context().setOffline(false);
  await waitFor(() => cut > 0, 'the upload');
  await page.reload();
  await page.locator('.band').waitFor({ state: 'detached' });
  assert.equal(signed(fake).length, 1, 'once');
  const { body, source, device_at } = signed(fake)[0];
  assert.deepEqual([body.who, body.satisfied, source, visit(fake).form.opinion.text], ['周女士', 5, 'phone', '很快，谢谢']);
  assert.ok(device_at > 0);
  const { width, height, strokes } = body.signature;
  assert.ok(strokes.length === 2 && strokes[0].length > 20 && strokes[1].length === 2, JSON.stringify(strokes));
  assert.ok(strokes.every((stroke) => stroke.every((n, i) => Number.isInteger(n) && n >= 0 && n <= (i % 2 ? height : width))));
  assert.match(await page.getByRole('link', { name: 'Slip (PDF)' }).getAttribute('href'), new RegExp(`/api/v1/visits/${JOB}/slip.pdf\\?lang=en`));
  const desk = await open(browser, `${fake.url}/tickets/${fake.world.tickets.find((one) => one.id === visit(fake).ticket_id).number}`);
  await desk.page.locator('.signed svg path').waitFor();
  assert.match(await desk.page.locator('.signed').innerText(), /周女士/);
  assert.deepEqual(desk.errors, []);
  await desk.close();
  await close();
});

test('a slip that was signed on paper is said to be so', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  await page.locator('[data-next="signed"]').click();
  await page.locator('[name="who"]').fill('Ms Zhou');
  await page.locator('[name="paper"]').check();
  assert.equal(await page.locator('.pad').count(), 0);
  await page.locator('.sheet .main').click();
  await waitFor(() => signed(fake).length === 1, 'the step');
  assert.deepEqual([signed(fake)[0].source, signed(fake)[0].body.signature], ['paper', undefined]);
  await close();
});
