// The technician's page on a phone: a night job without a network, closed and opened in between, then sent once and whole.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';
import { isKept, waitFor } from './phone.mjs';

const PHONE = { width: 390, height: 844, touch: true };
const JOB = '00000000-0000-4000-8000-000000000001';
let browser;
// What a failed test leaves running would keep all of them from ending.
const fakes = [];
const start = async () => { const fake = await startFake({ size: 10 }); fakes.push(fake); return fake; };
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); await Promise.allSettled(fakes.map((fake) => fake.close())); });

const kinds = (fake) => fake.world.visits.visits.find((one) => one.id === JOB).events.map((event) => event.kind);
const next = (page, name) => page.locator(`[data-next="${name}"]`).click();

for (const look of [{ ...PHONE, theme: 'dark', language: 'en' }, { ...PHONE, theme: 'light', language: 'zh' }]) {
  test(`list and job can be read and reached at ${look.theme} ${look.language}`, async () => {
    const fake = await start();
    const { page, errors, close } = await open(browser, `${fake.url}/tech`, look);
    for (const [ready, go] of [['.card', null], ['[data-next]', '.card'], ['.sheet', null]]) {
      if (go) await page.locator(go).first().click();
      if (ready === '.sheet') {
        await next(page, 'accepted');
        await next(page, 'departed');
        await next(page, 'arrived');
      }
      await page.locator(ready).first().waitFor();
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)} ${one.nodes[0].any[0]?.message ?? ''}`);
      assert.deepEqual(serious, []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'no wider than the phone');
      const small = await page.evaluate(() => [...document.querySelectorAll('button, .card, main .input')].filter((part) => part.getBoundingClientRect().height < 47.5).map((part) => part.outerHTML.slice(0, 100)));
      assert.deepEqual(small, [], 'too small for a thumb');
    }
    assert.deepEqual(errors, []);
    await close();
  });
}

test('only the chosen language is fetched to be drawn, and the other one is there without a network, too', async () => {
  const fake = await start();
  const { page, close } = await open(browser, 'about:blank', PHONE);
  const fetched = [];
  page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
  await page.goto(`${fake.url}/tech`);
  await page.locator('.card').first().waitFor();
  assert.deepEqual(fetched.flatMap((path) => path.match(/assets\/(en|zh)-/)?.[1] ?? []), ['en']);
  await isKept(page);
  await page.context().setOffline(true);
  await page.reload();
  await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor();
  await page.locator('header .small.end').click();
  await page.getByRole('heading', { name: '任务', exact: true }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: '任务', exact: true }).waitFor();
  await close();
});

test('a language that cannot be had gives way to the other, and no page is blank', async () => {
  const fake = await start();
  const { page, close } = await open(browser, 'about:blank', PHONE);
  await page.route('**/assets/en-*', (route) => route.fulfill({ status: 502 }));
  await page.goto(`${fake.url}/tech`);
  await page.getByRole('heading', { name: '任务', exact: true }).waitFor();
  await page.route('**/assets/zh-*', (route) => route.abort());
  await page.goto(`${fake.url}/sites`);
  await page.getByText('The texts of this page could not be fetched. Reload it.').waitFor();
  await page.unrouteAll();
  await page.reload();
  await page.getByRole('heading', { name: 'Sites', exact: true }).waitFor();
  await close();
});

test('who it is and what they have to do are asked before the page is there, and once', async () => {
  const fake = await start();
  const { page, close } = await open(browser, 'about:blank', PHONE);
  const asked = [];
  page.on('request', (request) => { const { pathname, search } = new URL(request.url()); asked.push(pathname + search); });
  let read;
  const late = new Promise((resolve) => { read = resolve; });
  await page.route('**/assets/tech-*.js', async (route) => { await late; await route.continue(); });
  const gone = page.goto(`${fake.url}/tech`);
  await waitFor(() => asked.includes('/api/v1/me') && asked.includes('/api/v1/visits?mine=true'), 'the first questions');
  read();
  await gone;
  await page.locator('.card').first().waitFor();
  assert.equal(asked.filter((path) => path === '/api/v1/me').length, 1);
  await close();
});

test('a night job without a network: closed in between, sent once and in order', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech`, PHONE);
  await page.locator('.card').first().waitFor();
  await isKept(page);
  await page.context().setOffline(true);
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.reload();
  await next(page, 'accepted');
  await next(page, 'departed');
  await next(page, 'arrived');
  await page.locator('[name="code"]').fill('402117');
  await page.locator('.sheet .main').click();
  await next(page, 'working');
  // What the page shows as waiting is on the phone; before that, nothing was promised.
  await page.locator('.queue li').nth(3).waitFor();
  await page.reload();
  await page.locator('.queue li').nth(3).waitFor();
  assert.deepEqual(kinds(fake), ['assigned'], 'nothing has been sent');
  await page.getByRole('button', { name: 'Fill in the slip' }).click();
  await page.locator('[name="cause"]').fill('water in the plug');
  await page.locator('.sheet .main').click();
  await page.getByText('5 steps wait to be sent.').waitFor();
  await page.getByText('No network.').waitFor();
  await page.goto('about:blank');
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.getByText('5 steps wait to be sent.').waitFor();
  await page.context().setOffline(false);
  await page.locator('.band').waitFor({ state: 'detached' });
  assert.deepEqual(kinds(fake), ['assigned', 'accepted', 'departed', 'arrived', 'working', 'written'], 'each once, in order');
  const { events, form, level } = fake.world.visits.visits.find((one) => one.id === JOB);
  assert.deepEqual([form.cause.text, level], ['water in the plug', 'gateway_code']);
  assert.ok(events.slice(1).every((event) => event.device_at !== null && event.skew_ms !== null), 'each with the phone\'s clock and how far that is off');
  await close();
});

test('an answer that is lost in the middle of the upload doubles nothing', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  let cut = 0;
  // The server takes the step, and the phone never hears of it.
  await page.route('**/steps/*', async (route) => { if (cut++ < 2) { await route.fetch(); await route.abort(); } else await route.continue(); });
  await next(page, 'accepted');
  await next(page, 'departed');
  await page.getByText('No network.').waitFor();
  await page.reload();
  await waitFor(() => kinds(fake).length >= 3 && page.locator('.band').count().then((n) => n === 0), 'the upload');
  assert.deepEqual(kinds(fake), ['assigned', 'accepted', 'departed']);
  assert.ok(cut > 2, 'it was sent more than once');
  await close();
});

test('a step that the server has taken stands, also before the visits are asked for anew', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  await page.locator('[data-next="accepted"]').waitFor();
  let go, held;
  const asked = new Promise((done) => { held = done; });
  await page.route('**/visits?mine=true', async (route) => { if (!kinds(fake).includes('accepted')) return route.continue(); held(); await new Promise((done) => { go = done; }); await route.continue(); });
  await next(page, 'accepted');
  await asked;
  assert.deepEqual(kinds(fake), ['assigned', 'accepted']);
  assert.equal(await page.locator('.queue li').count(), 0, 'nothing waits any more');
  assert.equal(await page.locator('[data-next]').getAttribute('data-next'), 'departed');
  go();
  await close();
});

test('what the server refuses is shown and kept until somebody decides', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech#${JOB}`, PHONE);
  await page.locator('[data-next="accepted"]').waitFor();
  // The worker takes the page over once; what is held up below is not to fall into that.
  await waitFor(() => page.evaluate(() => navigator.serviceWorker.controller !== null), 'the worker');
  const visit = fake.world.visits.visits.find((one) => one.id === JOB);
  // It was called off while the step was on its way.
  let off = true;
  await page.route('**/steps/*', (route) => { visit.state = off ? 'cancelled' : 'assigned'; return route.continue(); });
  await next(page, 'accepted');
  await page.locator('.refused').waitFor();
  assert.match(await page.locator('.refused').innerText(), /cancelled/);
  await page.reload();
  await page.locator('.refused').waitFor();
  assert.deepEqual(kinds(fake), ['assigned']);
  off = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.refused').waitFor({ state: 'detached' });
  await waitFor(() => kinds(fake).length === 2, 'the step');
  assert.deepEqual(kinds(fake), ['assigned', 'accepted']);
  await close();
});

test('a tag that the phone\'s camera read is the proof of the job that one chooses, beside the position', async () => {
  const fake = await start();
  const { page, close } = await open(browser, `${fake.url}/tech#tag=SW-TAG:Zm9yIGEgdGVzdA`, PHONE);
  await page.context().grantPermissions(['geolocation']);
  await page.context().setGeolocation({ latitude: 22.27, longitude: 113.57, accuracy: 12 });
  await page.getByText('Tag read.').waitFor();
  assert.equal(new URL(page.url()).hash, '#jobs', 'the tag does not stay in the address');
  await page.locator('.card').first().click();
  for (const step of ['accepted', 'departed', 'arrived']) await next(page, step);
  assert.equal(await page.locator('[name="tag"]').inputValue(), 'SW-TAG:Zm9yIGEgdGVzdA');
  await page.locator('.sheet .main').click();
  await waitFor(() => kinds(fake).includes('arrived'), 'the arrival');
  const { evidence } = fake.world.visits.visits.find((one) => one.id === JOB).events.find((one) => one.kind === 'arrived').body;
  assert.deepEqual(evidence.map((one) => one.kind), ['qr', 'geofence']);
  await page.getByRole('link', { name: 'Jobs' }).click();
  await page.locator('.card').first().waitFor();
  // It is used up.
  await page.getByText('Tag read.').waitFor({ state: 'detached' });
  await close();
});

test('tags are made for a site, printed, and taken out of use by typing where they hang', async () => {
  const fake = await start();
  const { page, errors, close } = await open(browser, `${fake.url}/sites/site-0`, { width: 1440, height: 900 });
  const tags = page.locator('.tags');
  await tags.getByText('Door of the plant room').first().waitFor();
  await tags.locator('[name="place"]').fill('Guard house');
  await tags.getByRole('button', { name: 'Make a tag' }).click();
  await tags.getByText('Guard house').first().waitFor();
  assert.match(await tags.getByRole('link', { name: 'Sheet to print' }).getAttribute('href'), /^\/api\/v1\/sites\/site-0\/tags\.pdf\?lang=en$/);
  await tags.getByRole('button', { name: 'Take out of use Guard house' }).click();
  const dialog = page.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Take out of use' }).isDisabled());
  await dialog.getByRole('textbox').fill('Guard house');
  await dialog.getByRole('button', { name: 'Take out of use' }).click();
  await tags.getByText('1 taken out of use').waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test('what helps at the site is on the phone without a network, and when one is on duty', async () => {
  const fake = await start();
  const { page, errors, close } = await open(browser, `${fake.url}/tech`, PHONE);
  await page.getByText('On duty until').waitFor();
  await isKept(page);
  await page.context().setOffline(true);
  await page.reload();
  await page.getByText('On duty until').waitFor();
  await page.goto(`${fake.url}/tech#${JOB}`);
  const job = page.locator('article');
  await job.getByText('Ladder in room 2.').waitFor();
  assert.match(await job.getByRole('link', { name: 'Show the way' }).getAttribute('href'), /^geo:31\.230400,121\.473700\?q=/);
  await job.getByText('Before (1)').click();
  await job.getByText('new plug, gel-filled').waitFor();
  await job.getByText('not working (4)').click();
  await job.getByText('cam-west').waitFor();
  assert.deepEqual(errors.filter((one) => !/ERR_INTERNET_DISCONNECTED|Failed to fetch/.test(one)), []);
  await close();
});

test('the desk plans a visit, sends somebody and records an arrival that was told on the telephone', async () => {
  const fake = await start();
  const { page, errors, close } = await open(browser, `${fake.url}/tickets/1031`, { width: 1440, height: 900 });
  const part = page.locator('.visits');
  await part.getByRole('button', { name: 'Plan a visit' }).click();
  await page.locator('[name="purpose"]').fill('Exchange the plug');
  const people = page.locator('.dispatch li');
  await people.filter({ hasText: 'wang.min' }).getByText('Proposed').waitFor();
  assert.match(await people.filter({ hasText: 'wang.min' }).innerText(), /8.4 km from home.*the customer's own engineer.*can CCTV, certificate AF-77.*2 other visits.*van/s);
  assert.match(await people.filter({ hasText: 'zhao.lei' }).innerText(), /certificate for CCTV ran out on/);
  assert.match(await people.filter({ hasText: 'sun.jie' }).innerText(), /taken by #1029.*after the arrival is due/s);
  assert.equal(await people.count(), 7, 'nobody yet, and the first six');
  await page.getByRole('button', { name: '2 more' }).click();
  await people.filter({ hasText: 'technician.8' }).waitFor();
  await page.getByLabel('Skill asked for').selectOption({ label: 'none' });
  await people.filter({ hasText: 'technician.8' }).getByText('lacks the skill').waitFor({ state: 'detached' });
  await people.filter({ hasText: 'wang.min' }).getByRole('radio').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Plan a visit' }).click();
  const second = part.locator('.one').nth(1);
  await second.getByText('Exchange the plug').waitFor();
  const made = fake.world.visits.visits.find((one) => one.purpose === 'Exchange the plug');
  assert.deepEqual([made.number, made.follows_id, made.state], [2, JOB, 'assigned'], 'it follows the first');
  assert.deepEqual(made.members.map((one) => one.name), ['wang.min']);
  fake.world.visits.answer('PUT', ['visits', made.id, 'steps', 'a-1'], new URLSearchParams(), { kind: 'accepted', source: 'phone' });
  await page.reload();
  await second.getByRole('button', { name: 'Record an arrival' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Record an arrival' }).click();
  await second.getByText('Arrival proved by a call').waitFor();
  assert.deepEqual([made.level, made.events.at(-1).source], ['call', 'desk']);
  await second.getByRole('button', { name: 'Cancel the visit' }).click();
  await page.locator('[name="words"]').fill('the builder does it');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the visit' }).click();
  await second.getByText('cancelled').first().waitFor();
  assert.deepEqual([made.reason, errors], ['the builder does it', []]);
  await close();
});

test('a part is used without a network: it leaves the van at once, and is sent after the steps before it', async () => {
  const fake = await start();
  const { page, errors, close } = await open(browser, `${fake.url}/tech`, PHONE);
  await page.locator('.card').first().waitFor();
  await isKept(page);
  await page.goto(`${fake.url}/tech#${JOB}`);
  await page.locator('[data-next="accepted"]').waitFor();
  await page.context().setOffline(true);
  await next(page, 'accepted');
  await next(page, 'departed');
  await next(page, 'arrived');
  await page.locator('.sheet .main').click();
  await page.getByRole('button', { name: 'Use a part' }).click();
  await page.locator('[name="serial"]').selectOption('P-2601');
  await page.locator('[name="component"]').fill('psu');
  await page.locator('[name="consent"]').fill('Ms Zhou');
  await page.locator('.sheet .main').click();
  await page.locator('.queue li').nth(3).waitFor();
  await page.getByRole('button', { name: 'Use a part' }).click();
  const left = await page.locator('[name="part"] option').allTextContents();
  assert.ok(left.length > 0 && !left.some((one) => one.startsWith('Power supply')), `it is gone from the van: ${left}`);
  await page.getByRole('button', { name: 'Cancel' }).click();
  const visit = fake.world.visits.visits.find((one) => one.id === JOB);
  assert.equal(visit.parts, undefined, 'nothing has been sent');
  await page.context().setOffline(false);
  await page.locator('.band').waitFor({ state: 'detached' });
  assert.deepEqual(visit.parts.map(({ serial, component, consent, quantity }) => [serial, component, consent, quantity]), [['P-2601', 'psu', 'Ms Zhou', 1]]);
  assert.deepEqual(kinds(fake), ['assigned', 'accepted', 'departed', 'arrived'], 'the steps were sent, the part is none of them');
  assert.deepEqual(errors.filter((one) => !/ERR_INTERNET_DISCONNECTED/.test(one)), []);
  await close();
});
