// The sheet of an inspection on the technician's phone: filled in without a network, kept through a reload, sent once each.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';
import { isKept, waitFor } from './phone.mjs';

const PHONE = { width: 390, height: 844, touch: true };
const JOB = '00000000-0000-4000-8000-000000000001';
let browser;
const fakes = [];
/** A server whose technician works at an inspection of that kind. */
async function start(is) {
  const fake = await startFake({ size: 10 });
  fakes.push(fake);
  for (const kind of ['accepted', 'arrived', 'working']) fake.world.visits.answer('PUT', ['visits', JOB, 'steps', `was-${kind}`], new URLSearchParams(), { kind, source: 'phone' });
  const inspection = fake.world.inspected.list.find(is);
  fake.world.visits.visits.find((one) => one.id === JOB).inspection_id = inspection.id;
  const sheet = (method, body) => fake.world.inspected.answer(method, inspection.id, 'sheet', new URLSearchParams(), body).body;
  sheet('GET');
  return { fake, sheet, record: () => fake.world.inspected.sheets.get(inspection.id).record ?? [] };
}
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); await Promise.allSettled(fakes.map((fake) => fake.close())); });

/** The phone at its job, with the page and the sheet kept, and then without a network. */
async function away(fake) {
  const opened = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  const { page } = opened;
  await page.locator('[name="of"] option').nth(1).waitFor({ state: 'attached' });
  await isKept(page);
  await page.context().setOffline(true);
  await page.reload();
  await page.getByRole('button', { name: 'Sheet' }).click();
  return opened;
}
const item = (page, name) => page.locator('.checklist li').filter({ hasText: name });
/** Opens an item's form, fills it in and keeps it. */
async function write(page, name, opener, fields) {
  const line = item(page, name).first();
  await line.locator('.acts .btn').filter({ hasText: opener }).first().click();
  for (const [field, text] of Object.entries(fields)) await line.locator(`form [name="${field}"]`).fill(text);
  await line.locator('form .btn.main').click();
  await line.locator('form').waitFor({ state: 'detached' });
}
const waits = (page, n) => page.getByText(n === 1 ? '1 step waits to be sent.' : `${n} steps wait to be sent.`).waitFor();

test('a whole sheet is filled in without a network, and every answer arrives once', async () => {
  const { fake, sheet, record } = await start((one) => one.state === 'agreed' && !one.by_hand);
  const { page, close } = await away(fake);
  const asked = sheet('GET').items;
  const devices = asked.filter((one) => one.device);
  await write(page, 'AC voltage and current', 'Fine', { value: '221 V' });
  await page.getByRole('button', { name: /^Confirm/ }).click();
  const known = devices.filter((one) => one.proposed?.answer === 'ok').length;
  await waits(page, 1 + known);
  await page.reload();
  await waits(page, 1 + known);
  await page.getByRole('button', { name: 'Sheet' }).click();
  await item(page, 'AC voltage and current').getByText('221 V').waitFor();
  // What was misread is corrected before the first answer was ever sent.
  await write(page, 'AC voltage and current', 'Fine', { value: '228 V' });
  await item(page, 'All functions').locator('.acts .btn').first().click();
  for (const one of devices.filter((each) => each.proposed?.answer !== 'ok')) await write(page, one.device, 'Wrong', { note: 'lens fogged' });
  await waits(page, asked.length + 1);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'no wider than the phone');
  assert.deepEqual((await new AxeBuilder({ page }).analyze()).violations.map((one) => one.id), []);
  assert.equal(record().length, 0, 'nothing has been sent');
  // The network ends after the server has the first answer, and the page is killed.
  let cut = 0;
  await page.route('**/sheet', async (route) => { if (route.request().method() === 'PUT' && cut++ < 1) { await route.fetch(); await route.abort(); } else await route.continue(); });
  await page.context().setOffline(false);
  await waitFor(() => cut > 0, 'the first answer');
  await page.goto('about:blank');
  await page.goto(`${fake.url}/tech#${JOB}`);
  // The page first finds what waits: no band is the end only once all of it is there.
  await waitFor(() => record().length > asked.length, 'every answer');
  await page.locator('.band').waitFor({ state: 'detached' });
  const said = record();
  assert.deepEqual([said.length, new Set(said.map((one) => one.id)).size], [asked.length + 1, asked.length + 1], 'nothing lost or doubled');
  const now = sheet('GET');
  assert.deepEqual([now.open, now.items[0].answer.value, now.bad], [0, '228 V', devices.length - known]);
  await close();
});

test('what somebody else has answered meanwhile is shown and not covered', async () => {
  const { fake, sheet, record } = await start((one) => one.state === 'agreed' && !one.by_hand);
  const { page, close } = await away(fake);
  await item(page, 'All functions').locator('.acts .btn').first().click();
  await write(page, 'AC voltage and current', 'Fine', { value: '228 V' });
  await waits(page, 2);
  sheet('PUT', { by: 'zhao.lei', answers: [{ key: 'functions', device_id: '', answer: 'bad', note: 'no sound' }] });
  await page.context().setOffline(false);
  await page.locator('.refused .stands').waitFor();
  assert.match(await page.locator('.refused').innerText(), /zhao\.lei[\s\S]*no sound/);
  await waitFor(() => record().length === 2, 'the answer that nothing speaks against');
  assert.equal(sheet('GET').items.find((one) => one.key === 'functions').answer.note, 'no sound');
  await page.getByRole('button', { name: 'Mine is right' }).click();
  await page.locator('.refused').waitFor({ state: 'detached' });
  await waitFor(() => record().length === 3, 'the answer on purpose');
  assert.equal(sheet('GET').items.find((one) => one.key === 'functions').answer.answer, 'ok');
  await close();
});

test('words, numbers, names and tests are answered without a network', async () => {
  const training = await start((one) => one.by_hand && one.rule === 'training');
  const first = await away(training.fake);
  await write(first.page, 'Goal of operators', 'Write', { value: 'operate alone' });
  await item(first.page, 'Theory was taught').locator('.acts .btn').first().click();
  await write(first.page, 'Who attended', 'Write', { value: '李明, 王芳' });
  await write(first.page, 'Hours', 'Write', { value: '6.5' });
  await waits(first.page, 4);
  await first.page.context().setOffline(false);
  await first.page.locator('.band').waitFor({ state: 'detached' });
  assert.deepEqual(training.sheet('GET').items.map((one) => one.answer?.value), ['operate alone', '', '李明, 王芳', '6.5']);
  await first.close();
  const sample = await start((one) => one.by_hand && one.rule === 'sample_test');
  const { page, close } = await away(sample.fake);
  await item(page, 'Indicator').locator('.acts .btn').first().click();
  for (const [field, text] of Object.entries({ what: 'resolution', wanted: '1080p', value: '1080p' })) await item(page, 'Indicator').locator(`form [name="${field}"]`).fill(text);
  await item(page, 'Indicator').locator('form .btn.main').click();
  await waits(page, 1);
  await page.context().setOffline(false);
  await page.locator('.band').waitFor({ state: 'detached' });
  const { answer } = sample.sheet('GET').items.find((one) => one.key === 'sample_test.test');
  assert.deepEqual([answer.what, answer.wanted, answer.value], ['resolution', '1080p', '1080p']);
  await close();
});
