// What a person does on the page, told step by step against the fake server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function withPage(options, path, tell) {
  const fake = await startFake(options);
  const opened = await open(browser, 'about:blank', options.look);
  try {
    await tell({ fake, ...opened, go: (to) => opened.page.goto(fake.url + to) }, path);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const seen = (page, test_, ...args) => page.waitForFunction(test_, ...args);

test('the first sign-in leads through a new password to the page that was asked for', () => withPage({ size: 10, signedIn: false, mustChange: true }, '', async ({ page, go }) => {
  await go('/tickets/1031');
  await page.locator('input[name=login]').fill('admin');
  await page.locator('input[name=password]').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Login or password is wrong').waitFor();
  await page.locator('input[name=password]').fill('correct horse battery');
  await page.keyboard.press('Enter');
  await page.locator('input[name=old]').fill('correct horse battery');
  await page.locator('input[name=new]').fill('a sentence of my own');
  assert.ok(await page.getByRole('button', { name: 'Set the password' }).isDisabled());
  await page.locator('input[name=again]').fill('a sentence of my own');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /no answer on any check/ }).waitFor();
  assert.match(page.url(), /\/tickets\/1031$/);
}));

test('the keyboard alone: j and k walk, Enter opens, a acknowledges, / searches, ? helps', () => withPage({ size: 100 }, '', async ({ page, fake, go }) => {
  await go('/');
  await page.locator('.inc').first().waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.closest('[data-ticket]')?.getAttribute('data-ticket'));
  await page.keyboard.press('j');
  assert.equal(await focused(), '1031');
  await page.keyboard.press('j');
  const second = await focused();
  assert.notEqual(second, '1031');
  await page.keyboard.press('k');
  assert.equal(await focused(), '1031');
  await page.keyboard.press('a');
  await seen(page, () => document.querySelector('[data-ticket="1031"]')?.classList.contains('slim'));
  assert.equal(fake.world.tickets.find((ticket) => ticket.number === 1031).state, 'acked');
  await page.keyboard.press('Escape');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/tickets\/\d+$/);
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await page.keyboard.type('cam-03');
  await page.locator('dialog .box li').first().waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/devices\//);
  await page.getByRole('heading', { name: /cam-03/ }).waitFor();
  await page.goBack();
  await page.waitForURL(/\/tickets\/\d+$/);
}));

test('an act on a row needs a row: the first press shows it, the second does it', () => withPage({ size: 10 }, '', async ({ page, fake, go }) => {
  await go('/');
  await page.locator('.inc').first().waitFor();
  await page.keyboard.press('a');
  assert.equal(fake.world.tickets.find((ticket) => ticket.number === 1031).state, 'open');
  await page.keyboard.press('a');
  await seen(page, () => document.querySelector('[data-ticket="1031"]')?.classList.contains('slim'));
}));

test('a delta redraws one tile and no other, and the counts follow', () => withPage({ size: 1000 }, '', async ({ page, fake, go }) => {
  await go('/');
  await page.locator('[data-site="site-0"] .tiles a').first().waitFor();
  await page.evaluate(() => {
    window.touched = new Set();
    new MutationObserver((changes) => changes.forEach((change) => { const tile = change.target.closest?.('.tiles a'); if (tile) window.touched.add(tile.dataset.id); }))
      .observe(document.querySelector('.sites'), { subtree: true, attributes: true, attributeFilter: ['class'], childList: true });
  });
  fake.change('dev-0-20', 'degraded');
  await seen(page, () => document.querySelector('[data-id="dev-0-20"]').classList.contains('degraded'));
  assert.deepEqual(await page.evaluate(() => [...window.touched]), ['dev-0-20']);
  assert.equal(await page.locator('[data-site="site-0"] header .counts .hot', { hasText: 'degraded' }).innerText().then((text) => parseInt(text, 10)), 2);
}));

test('a thousand changes at once arrive whole', () => withPage({ size: 10_000 }, '', async ({ page, fake, go }) => {
  await go('/');
  await page.locator('[data-site="site-0"] .tiles a').first().waitFor();
  const quiet = fake.world.devices.filter((device) => device.state === 'ok').slice(0, 1000);
  const was = await page.evaluate(() => performance.now());
  for (const device of quiet) fake.change(device.id, 'degraded');
  await seen(page, () => [...document.querySelectorAll('.strip .counts .hot')].some((part) => part.textContent.includes('1,002')));
  const took = (await page.evaluate(() => performance.now())) - was;
  assert.ok(took < 5000, `it took ${Math.round(took)} ms`);
}));

test('a lost delta is noticed and the board fetched again', () => withPage({ size: 10 }, '', async ({ page, fake, go }) => {
  await go('/');
  await page.locator('[data-id="dev-0-5"]').waitFor();
  fake.world.change('dev-0-5', 'degraded'); // nobody is told
  await page.locator('[data-id="dev-0-5"].degraded').waitFor();
}));

test('without a word for 15 s the page says that its figures are old, and takes it back', () => withPage({ size: 10 }, '', async ({ page, fake, go }) => {
  await page.clock.install();
  for (const path of ['/', '/wall']) {
    await go(path);
    await page.locator('.inc').first().waitFor();
    fake.hush();
    await page.clock.fastForward(14_000);
    assert.equal(await page.locator('.stale[role=alert]').count(), 0);
    await page.clock.fastForward(3000);
    await page.locator('.stale[role=alert]').waitFor();
    fake.speak();
    await page.locator('.stale[role=alert]').waitFor({ state: 'detached' });
  }
}));

test('nothing moves under the pointer: changes wait and are shown on request', () => withPage({ size: 100 }, '', async ({ page, fake, go }) => {
  await go('/');
  await page.locator('.inc').first().hover();
  const ticket = fake.world.tickets.find((one) => one.number === 1031);
  const { delta } = fake.world.answer('POST', '/tickets/1031/close', new URLSearchParams(), { reason: 'x' });
  fake.say('delta', delta);
  await page.getByRole('button', { name: '1 change, show' }).waitFor();
  assert.equal(await page.locator(`[data-ticket="${ticket.number}"].gone`).count(), 1);
  await page.getByRole('button', { name: '1 change, show' }).click();
  await page.locator(`[data-ticket="${ticket.number}"]`).waitFor({ state: 'detached' });
}));

test('a ticket: take it, write into it, close it with a reason, open it again', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  await go('/tickets/1031');
  await page.getByRole('button', { name: 'Acknowledge' }).waitFor();
  await page.keyboard.press('a');
  await page.locator('.ev b', { hasText: /^Acknowledged$/ }).waitFor();
  await page.keyboard.press('n');
  await page.keyboard.type('Cable is cut at pole P-9.');
  await page.keyboard.press('Control+Enter');
  await page.locator('.said', { hasText: 'Cable is cut' }).waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await page.locator('dialog textarea').fill('Replaced.');
  await page.locator('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByRole('button', { name: 'Reopen' }).click();
  await page.locator('dialog textarea').fill('Cut again.');
  await page.locator('dialog').getByRole('button', { name: 'Reopen' }).click();
  await page.locator('.said', { hasText: 'Cut again.' }).waitFor();
}));

test('the clocks of a ticket: a ledger by keyboard, a pause with who approved it, an arrival that came late; the board follows', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  await go('/tickets/1031');
  const restore = page.locator('.clocks .one', { hasText: 'Restore' });
  await restore.focus();
  await page.keyboard.press('Enter');
  await page.locator('.clocks table tbody tr').first().waitFor();
  assert.match(await page.locator('.clocks tfoot').innerText(), /Used/);
  await page.getByRole('button', { name: 'Pause…' }).click();
  await page.locator('dialog select[name=pause]').selectOption('access/customer');
  await page.locator('dialog input[name=by]').fill('Ms Zhou');
  await page.locator('dialog').getByRole('button', { name: 'Record' }).click();
  await page.locator('.clocks .state', { hasText: 'paused' }).first().waitFor();
  await page.locator('.ev', { hasText: 'approved by Ms Zhou' }).waitFor();
  await page.getByRole('button', { name: 'Work goes on' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Record' }).click();
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  // Without the proof that the contract asks for an arrival is only a claim.
  await page.getByRole('button', { name: 'Arrived' }).click();
  await page.locator('dialog').getByRole('button', { name: 'Record' }).click();
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  const arrive = page.locator('.clocks li', { hasText: 'Arrival' });
  await arrive.locator('.one').click();
  await arrive.getByText('does not stop the clock').waitFor();
  await page.getByRole('button', { name: 'Arrived' }).click();
  await page.locator('dialog select[name=evidence]').selectOption('qr');
  await page.locator('dialog').getByRole('button', { name: 'Record' }).click();
  await arrive.locator('.state', { hasText: 'met' }).waitFor();
  await go('/sla');
  await page.locator('.cards li').first().waitFor();
  const left = await page.locator('.cards li').allInnerTexts();
  assert.ok(left.length > 0 && left.every((text) => !(text.includes('Arrival') && text.includes('#1031'))), left.join('\n'));
}));

test('a device is removed only when its name is typed', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  await go('/devices/dev-0-9');
  await page.getByRole('button', { name: 'Remove the device' }).click();
  const act = page.locator('dialog').getByRole('button', { name: 'Remove the device' });
  assert.ok(await act.isDisabled());
  await page.locator('dialog input').fill('cam-06');
  assert.ok(await act.isEnabled());
  await act.click();
  await page.waitForURL(/\/sites\/site-0$/);
}));

test('p probes the device and shows what came of it', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  await go('/devices/dev-0-9');
  await page.getByRole('button', { name: 'Probe now' }).waitFor();
  await page.keyboard.press('p');
  await page.locator('dialog pre', { hasText: 'silent' }).waitFor();
}));

test('a gateway is added and its command shown once', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  await go('/sites/site-0');
  await page.getByRole('button', { name: 'Add a gateway' }).click();
  await page.locator('input[name=gateway]').fill('GW-02');
  await page.keyboard.press('Enter');
  assert.match(await page.getByLabel('Enrol command').inputValue(), /^sitewarden-agent enrol --server /);
  await page.getByRole('button', { name: 'I have copied it' }).click();
  assert.equal(await page.getByLabel('Enrol command').count(), 0);
}));

test('gateways: worst first, sorted and found by keyboard, each with its gaps', () => withPage({ size: 200 }, '', async ({ page, go }) => {
  const names = () => page.locator('tbody tr[data-item] td:first-child').allInnerTexts().then((all) => all.map((text) => text.replace(/\W*(GW-\d+)[^]*/, '$1')));
  await go('/');
  const line = page.getByRole('list', { name: 'The wire' });
  await line.getByRole('link', { name: '2 gateways hold 12,400 records, the oldest for 1 d 2 h' }).click();
  await page.waitForURL(/\/gateways\?sort=age$/);
  await page.locator('[data-row]').first().waitFor();
  assert.deepEqual((await names()).slice(0, 2), ['GW-03', 'GW-04']);
  await page.getByRole('button', { name: 'State', exact: true }).press('Enter');
  await page.waitForFunction(() => document.querySelector('tbody tr td')?.textContent?.includes('GW-02'));
  assert.equal(await page.locator('th[aria-sort=ascending]').innerText(), 'State ↓');
  await page.locator('h1').click();
  await page.keyboard.press('Escape');
  for (let row = 0; row < 5; row++) await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('.gaps li', { hasText: '400 records lost · its queue was full' }).waitFor();
  await page.getByRole('searchbox').fill('tunnel e');
  await page.waitForFunction(() => document.querySelectorAll('tbody tr[data-item]').length === 1);
  assert.deepEqual(await names(), ['GW-02']);
}));

test('a gateway is told what it hangs off', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  let answer;
  const asked = new Promise((resolve) => { answer = resolve; });
  await page.route('**/parents', async (route) => { if (route.request().method() === 'GET') await asked; await route.continue(); });
  await go('/gateways');
  await page.locator('[data-row]').first().click();
  const part = page.locator('details', { hasText: 'Hangs off' });
  await part.getByText('Hangs off').click();
  await part.getByText('When a device that this gateway needs fails').waitFor();
  assert.equal(await part.getByText('nothing is written down').count(), 0, 'not known yet');
  assert.equal(await part.locator('select').count(), 0, 'nothing is chosen that the late answer would take back');
  answer();
  await part.getByText('nothing is written down').waitFor();
  const names = await part.locator('select[name=parent] option').allTextContents();
  assert.ok(names.length > 2, 'the devices of its site');
  await part.locator('select[name=parent]').selectOption({ index: 1 });
  await part.locator('select[name=second_id]').selectOption({ index: 2 });
  await part.locator('select[name=power_id]').selectOption({ index: 3 });
  const told = page.waitForRequest((request) => request.method() === 'PUT' && request.url().endsWith('/parents'));
  await part.getByRole('button', { name: 'Save' }).click();
  const kinds = (await told).postDataJSON().parents.map((one) => [one.kind, one.group]);
  assert.deepEqual(kinds, [['reach', 'reach'], ['reach', 'reach'], ['power', '']], 'two ways are one group, the supply stands alone');
  await part.getByText('Saved.').waitFor();
  await part.getByText(`power ${names[3]}`).waitFor();
  assert.ok(await part.getByRole('button', { name: 'Save' }).isDisabled(), 'nothing is left to save');
}));

test('a network is looked at, and what was found is taken over by name', () => withPage({ size: 10 }, '', async ({ fake, page, go }) => {
  await go('/gateways');
  await page.locator('[data-row]').first().click();
  const part = page.locator('details', { hasText: 'What hangs in its network' });
  await part.getByText('What hangs in its network').first().click();
  await part.locator('input[name=net]').fill('10.20.7.0/24');
  await part.getByRole('button', { name: 'Look around' }).press('Enter');
  await part.getByText('200 of 508 steps').waitFor();
  assert.equal(await part.locator('progress').getAttribute('value'), '200');
  await part.getByText('4 devices answered of 254 addresses, 3 worth watching.').waitFor();
  assert.equal(await part.locator('.found li').count(), 3, 'the rest is shown on request');
  await part.getByLabel('show everything that answered').check();
  assert.equal(await part.locator('.found li').count(), 4);
  assert.ok(!(await part.getByLabel('Take over other 10.20.7.77').isChecked()), 'not proposed');
  await part.getByLabel('Take over S5120-28P-SI 10.20.7.2').uncheck();
  await part.getByLabel('Name 10.20.7.9').fill('cam north 1');
  await part.getByLabel('Name 10.20.7.12').fill('refused');
  await part.locator('input[name=user]').fill('viewer');
  await part.locator('input[name=password]').fill('a b c');
  await part.getByRole('button', { name: 'Take over 2 devices' }).click();
  await part.getByText('10.20.7.12 was not taken over; those before it were.').waitFor();
  await part.getByText('1 of 2 taken over').waitFor();
  await part.getByRole('link', { name: 'cam north 1' }).waitFor();
  await part.getByLabel('Name 10.20.7.12').fill('cam north 2');
  await part.getByRole('button', { name: 'Take over 1 device', exact: true }).click();
  await part.getByRole('link', { name: 'cam north 2' }).waitFor();
  const { name, class: kind, maker, user } = fake.world.taken.get('10.20.7.9');
  assert.deepEqual([name, kind, maker, user], ['cam north 1', 'camera', 'hikvision', 'viewer']);
  assert.deepEqual([...fake.world.taken.keys()], ['10.20.7.9', '10.20.7.12'], 'nothing that was not chosen');
}));

test('a thousand gateways are a short page', () => withPage({ size: 10_000 }, '', async ({ page, go }) => {
  await go('/gateways');
  await page.locator('[data-row]').first().waitFor();
  assert.equal(await page.locator('tr[data-item]').count(), 100);
  await page.getByRole('button', { name: 'Show more' }).click();
  assert.equal(await page.locator('tr[data-item]').count(), 500);
}));

test('a customer sees no act of ours', () => withPage({ size: 10, role: 'customer' }, '', async ({ page, go }) => {
  await go('/');
  await page.locator('.inc').first().waitFor();
  assert.equal(await page.getByRole('button', { name: 'Acknowledge' }).count(), 0);
  assert.deepEqual(await page.locator('.nav a').allInnerTexts(), ['Now', 'Tickets', 'SLA', 'Sites', 'Inspections', 'Contracts']);
  await go('/devices/dev-0-9');
  await page.getByRole('heading', { name: /cam-06/ }).waitFor();
  for (const name of ['Change', 'Probe now', 'Remove the device']) assert.equal(await page.getByRole('button', { name }).count(), 0, name);
}));

test('language and light are remembered', () => withPage({ size: 10 }, '', async ({ page, go }) => {
  await go('/');
  await page.locator('.inc').first().waitFor();
  await page.getByRole('button', { name: 'Light page' }).click();
  await page.getByTitle('简体中文').click();
  await page.getByRole('heading', { name: '当前故障' }).waitFor();
  assert.equal(await page.evaluate(() => `${document.documentElement.dataset.theme} ${document.documentElement.lang}`), 'light zh-CN');
  assert.deepEqual(await page.evaluate(() => [localStorage.getItem('sitewarden.theme'), localStorage.getItem('sitewarden.language')]), ['light', 'zh']);
}));
