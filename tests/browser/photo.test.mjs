// Photos on the technician's phone: made small, kept through a day without a network, sent once and shown to the desk.
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
const start = async () => {
  const fake = await startFake({ size: 10 });
  fakes.push(fake);
  for (const kind of ['accepted', 'arrived', 'working']) fake.world.visits.answer('PUT', ['visits', JOB, 'steps', `was-${kind}`], new URLSearchParams(), { kind, source: 'phone' });
  return fake;
};
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); await Promise.allSettled(fakes.map((fake) => fake.close())); });
const visit = (fake) => fake.world.visits.visits.find((one) => one.id === JOB);
const taken = (fake) => visit(fake).events.filter((event) => event.kind === 'photo');

/** A picture as a phone's camera makes it: large, and of a noise that does not pack. */
async function camera(page, width = 3000, height = 4000) {
  const text = await page.evaluate(async ([w, h]) => {
    const canvas = document.createElement('canvas');
    canvas.width = w; canvas.height = h;
    const pen = canvas.getContext('2d');
    const noise = pen.createImageData(w, h);
    let seed = 7;
    for (let i = 0; i < noise.data.length; i++) { seed = (seed * 1103515245 + 12345) & 0x7fffffff; noise.data[i] = i % 4 === 3 ? 255 : seed >> 16; }
    pen.putImageData(noise, 0, 0);
    pen.fillRect(w / 4, h / 4, w / 2, h / 2);
    const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.8));
    return await new Promise((done) => { const reader = new FileReader(); reader.onload = () => done(reader.result.split(',')[1]); reader.readAsDataURL(blob); });
  }, [width, height]);
  return { name: 'IMG_1.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(text, 'base64') };
}
/** Width and height of a JPEG, as its frame says. */
function sides(jpeg) {
  for (let at = 2; at < jpeg.length;) {
    const kind = jpeg[at + 1];
    if (kind >= 0xc0 && kind <= 0xc2) return [jpeg.readUInt16BE(at + 7), jpeg.readUInt16BE(at + 5)];
    at += 2 + jpeg.readUInt16BE(at + 2);
  }
  return [0, 0];
}

test('photos of a day without a network are small, kept through a reload, and sent once each after the steps', async () => {
  const fake = await start();
  const { page, errors, close } = await open(browser, `${fake.url}/tech`, PHONE);
  await page.locator('.card').first().waitFor();
  await isKept(page);
  const large = await camera(page);
  assert.ok(large.buffer.length > 1_000_000, String(large.buffer.length));
  errors.length = 0;
  await page.context().setOffline(true);
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.reload();
  await page.locator('[name="photo"]').setInputFiles([large, { ...large, name: 'IMG_2.jpg' }]);
  await page.locator('.photos li').nth(1).waitFor();
  await page.getByText('2 photos wait to be sent.').waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, 'no wider than the phone');
  await page.reload();
  await page.getByText('2 photos wait to be sent.').waitFor();
  assert.equal(await page.locator('.photos img').first().evaluate((one) => one.decode().then(() => one.naturalWidth > 0)), true, 'it is shown from what is kept');
  await page.locator('[data-next="done"]').click();
  await page.locator('[name="words"]').fill('the builder mends the rest');
  await page.locator('.sheet .main').click();
  assert.equal(taken(fake).length, 0, 'nothing has been sent');
  // The network ends in the middle of the first photo, after the server has it; then the page is killed.
  let cut = 0;
  await page.route('**/photos/*', async (route) => { if (cut++ < 1) { await route.fetch(); await route.abort(); } else await route.continue(); });
  await page.context().setOffline(false);
  await waitFor(() => cut > 0, 'the first upload');
  await page.goto('about:blank');
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.locator('.band').waitFor({ state: 'detached' });
  await page.getByText('2 photos have been sent.').waitFor();
  assert.deepEqual(visit(fake).events.slice(-3).map((event) => event.kind), ['done', 'photo', 'photo'], 'the step did not wait for the photos, and each is there once');
  for (const event of taken(fake)) {
    const file = fake.world.visits.photos.get(event.id);
    assert.ok(file.length <= 400 << 10 && file.readUInt16BE(0) === 0xffd8, String(file.length));
    const [width, height] = sides(file);
    assert.ok(Math.max(width, height) <= 1600 && Math.abs(width / height - 0.75) < 0.01, `${width}x${height}`);
    assert.ok(event.device_at > 0 && event.skew_ms !== null, 'with the phone\'s clock');
  }
  const desk = await open(browser, `${fake.url}/tickets/${fake.world.tickets.find((one) => one.id === visit(fake).ticket_id).number}`);
  await desk.page.locator('.visits .photos img').nth(1).scrollIntoViewIfNeeded();
  await waitFor(() => desk.page.locator('.visits .photos img').evaluateAll((all) => all.every((one) => one.complete && one.naturalWidth > 0)), 'the small pictures');
  assert.deepEqual(desk.errors, []);
  await desk.close();
  await close();
});

test('a photo that is none, or that the server refuses, is told and does not hold up the rest', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  await page.locator('[name="photo"]').waitFor({ state: 'attached' });
  await page.locator('[name="photo"]').setInputFiles({ name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') });
  await page.getByText('The photo could not be kept').waitFor();
  let refused = 0;
  const no = { error: { code: 'too_many_photos', message: 'a visit has at most 20 photos', hint: 'leave this one out' } };
  await page.route('**/photos/*', (route) => (refused++ < 1 ? route.fulfill({ status: 409, json: no }) : route.continue()));
  await page.locator('[name="photo"]').setInputFiles([await camera(page, 800, 600), await camera(page, 600, 800)]);
  await page.locator('.refused').waitFor();
  assert.match(await page.locator('.refused').innerText(), /at most 20 photos/);
  await waitFor(() => taken(fake).length === 1, 'the other photo');
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)}`), []);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.refused').waitFor({ state: 'detached' });
  await waitFor(() => taken(fake).length === 2, 'both');
  await close();
});

test('a photo that proves an arrival goes before it, whatever else waits', async () => {
  const fake = await startFake({ size: 10 });
  fakes.push(fake);
  for (const kind of ['accepted', 'departed']) fake.world.visits.answer('PUT', ['visits', JOB, 'steps', `was-${kind}`], new URLSearchParams(), { kind, source: 'phone' });
  const { page, close } = await open(browser, `${fake.url}/tech`, PHONE);
  await page.locator('.card').first().waitFor();
  await isKept(page);
  const sight = await camera(page, 800, 600);
  await page.context().setOffline(true);
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.reload();
  await page.locator('[data-next="arrived"]').click();
  await page.locator('[name="shot"]').setInputFiles(sight);
  await page.locator('.sheet .main').click();
  await page.getByText('1 step waits to be sent. 1 photo waits to be sent.').waitFor();
  await page.locator('[name="photo"]').setInputFiles([sight, sight]);
  await page.getByText('3 photos wait to be sent.').waitFor();
  await page.locator('[data-next="working"]').click();
  await page.context().setOffline(false);
  await page.locator('.band').waitFor({ state: 'detached' });
  const { events, level } = visit(fake);
  assert.deepEqual(events.slice(3).map((event) => event.kind), ['photo', 'arrived', 'working', 'photo', 'photo']);
  assert.deepEqual([level, events[4].body.evidence[0].code], ['photo', events[3].id]);
  await close();
});

test('a photo says which item of the sheet it shows, chosen without a network', async () => {
  const fake = await start();
  const inspection = fake.world.inspected.list.find((one) => one.state === 'agreed');
  visit(fake).inspection_id = inspection.id;
  const { page, errors, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  await page.locator('[name="of"] option').nth(1).waitFor({ state: 'attached' });
  await isKept(page);
  const report = page.getByRole('link', { name: 'Report (PDF)' });
  assert.equal(await report.getAttribute('href'), `/api/v1/inspections/${inspection.id}/report.pdf?lang=en`);
  assert.equal(await page.getByRole('button', { name: 'Sheet' }).getAttribute('aria-expanded'), 'false');
  assert.deepEqual((await new AxeBuilder({ page }).analyze()).violations.map((one) => one.id), []);
  const small = await camera(page, 300, 400);
  errors.length = 0;
  await page.context().setOffline(true);
  await page.reload();
  await page.locator('[name="of"] option').nth(1).waitFor({ state: 'attached' });
  const items = await page.locator('[name="of"] option').allTextContents();
  assert.equal(items[1], 'AC voltage and current');
  await page.locator('[name="of"]').selectOption({ index: 1 });
  await page.locator('[name="photo"]').setInputFiles([small]);
  await page.locator('.photos li').filter({ hasText: 'AC voltage and current' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'no wider than the phone');
  await page.context().setOffline(false);
  await waitFor(() => taken(fake).length === 1, 'the photo sent');
  assert.deepEqual([taken(fake)[0].body.item, taken(fake)[0].body.device_id], ['power', '']);
  await close();
});

test('a sheet that the server refuses holds up nothing else', async () => {
  const fake = await start();
  visit(fake).inspection_id = 'gone';
  const { page, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  await page.locator('[name="photo"]').setInputFiles([await camera(page, 300, 400)]);
  await waitFor(() => taken(fake).length === 1, 'the photo sent');
  await close();
});
