// Duty and paging as a person uses them on the page, told step by step against the fake server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function on(path, tell, options = {}) {
  const fake = await startFake({ size: 10, ...options });
  const opened = await open(browser, fake.url + path, options.look);
  try {
    await tell({ fake, ...opened });
    assert.deepEqual(opened.errors, []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const list = (fake, path, query = '') => fake.world.answer('GET', path, new URLSearchParams(query), {}).body.items;
const dialog = (page, name) => page.getByRole('dialog', { name });

test('the rota says who is on, shows the gap, and an override can be made by keyboard and taken back', () => on('/rota', async ({ page, fake }) => {
  await page.locator('.now .who').first().waitFor();
  await page.locator('.now .gap').getByText('Nobody').waitFor();
  await page.locator('.days .bad').first().waitFor();
  await page.keyboard.press('o');
  const form = dialog(page, 'Override');
  await form.getByLabel('Who is on duty instead').selectOption({ label: 'Li Wei' });
  await form.getByLabel('Reason').fill('dentist');
  await form.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('row', { name: /dentist/ }).waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('row', { name: /dentist/ }).waitFor({ state: 'detached' });
  const { overrides } = fake.world.answer('GET', '/rotas/rota-1/shifts', new URLSearchParams({ from_at: '0', to_at: String(Date.now() + 9e9) }), {}).body;
  assert.ok(overrides.find((one) => one.reason === 'dentist').removed_at, 'it stays on the record');
}));

test('a swap that was asked for is accepted where it is asked', () => on('/rota', async ({ page, fake }) => {
  await page.getByText('school meeting').waitFor();
  await page.getByRole('button', { name: 'Agree' }).click();
  await page.getByRole('button', { name: 'Agree' }).waitFor({ state: 'detached' });
  assert.equal(list(fake, '/swaps').find((one) => one.id === 's-1').state, 'accepted');
}));

test('a calendar address is shown once and can be copied', () => on('/rota', async ({ page }) => {
  await page.getByRole('button', { name: 'Subscribe to mine' }).click();
  assert.equal(await dialog(page, 'Calendar address').getByRole('textbox').inputValue(), 'https://noc.example.com/c/made-up-own.ics');
}));

test('who is in a team and whom it serves is changed on the rota page', () => on('/rota', async ({ page, fake }) => {
  await page.getByRole('button', { name: 'Teams' }).click();
  const teams = dialog(page, 'Teams');
  await teams.getByRole('button', { name: /Change/ }).click();
  await teams.getByRole('checkbox', { name: 'Zhao Lin' }).uncheck();
  await teams.getByRole('checkbox', { name: 'North Gate' }).check();
  await teams.getByRole('button', { name: 'Save' }).click();
  await teams.getByRole('button', { name: /Change/ }).waitFor();
  const team = list(fake, '/teams')[0];
  assert.deepEqual([team.members.map((one) => one.name), team.sites.map((one) => one.id), team.customers.length], [['Li Wei', 'Ada'], ['site-0'], 1]);
  await teams.getByRole('button', { name: /Change/ }).click();
  await teams.getByRole('button', { name: 'Take out of use' }).click();
  await teams.getByRole('button', { name: 'Undo' }).click();
  await teams.getByRole('button', { name: /Change/ }).waitFor();
}));

test('a call is written down, and corrected with what it was left on the record', () => on('/rota/log', async ({ page, fake }) => {
  await page.getByRole('row', { name: /Guard Chen/ }).waitFor();
  await page.keyboard.press('c');
  const form = dialog(page, 'Log a call');
  await form.getByLabel('Caller').fill('Front desk');
  await form.getByLabel('What it was about').fill('gate 3 beeps');
  await form.getByLabel('Result').fill('battery, a visit is planned');
  await form.getByLabel('Minutes').fill('4');
  await form.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('row', { name: /Front desk.*4 min/ }).waitFor();
  await page.getByRole('button', { name: 'Correct Front desk' }).click();
  const again = dialog(page, 'Correct');
  assert.equal(await again.getByLabel('Caller').inputValue(), 'Front desk');
  await again.getByLabel('Minutes').fill('14');
  await again.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('row', { name: /Front desk.*14 min.*corrected/ }).waitFor();
  assert.equal(list(fake, '/calls').filter((one) => one.caller === 'Front desk').length, 1);
}));

test('overtime is taken back with a reason and stays readable', () => on('/rota/log', async ({ page, fake }) => {
  await page.getByRole('button', { name: /Take back motor of barrier 2/ }).click();
  const ask = dialog(page, 'Take back');
  await ask.getByLabel('Reason').fill('written twice');
  await ask.getByRole('button', { name: 'Take back' }).click();
  await page.getByRole('row', { name: /taken back by Ada: written twice/ }).waitFor();
  assert.equal(list(fake, '/duty_facts').find((one) => one.id === 'fact-1').withdrawn_why, 'written twice');
}));

test('a hand-over sheet names what is not solved, is accepted, and one of one’s own is handed over', () => on('/rota/handover', async ({ page, fake }) => {
  await page.getByRole('row', { name: /not accepted|handed|Li Wei → Ada/i }).getByRole('button').click();
  const sheet = page.locator('article.sheet');
  await sheet.getByRole('row', { name: /#1031.*Li Wei/ }).waitFor();
  await sheet.getByText('六号杆的备件周五到').waitFor();
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('seen');
  await page.getByRole('dialog').getByRole('button', { name: 'Accept' }).click();
  await sheet.getByText('seen').waitFor();
  assert.equal(list(fake, '/handovers').find((one) => one.id === 'sheet-1').state, 'accepted');
}));

test('a statement gives the basis of each line, and the amounts are set', () => on('/rota/statement', async ({ page }) => {
  const mine = page.locator('section.panel').first();
  await mine.getByRole('row', { name: /Overtime, rest day.*3 h.*¥215.00/ }).waitFor();
  await mine.getByRole('row', { name: /Total.*¥715.00/ }).waitFor();
  await page.getByRole('button', { name: 'Set the amounts' }).click();
  assert.equal(await page.getByRole('dialog').getByLabel(/llowance/).first().inputValue(), '600');
}));

test('a plan says whom it would ask while it is written; a manager is named and taken back', () => on('/escalation', async ({ page, fake }) => {
  await page.getByRole('row', { name: /日常/ }).getByRole('button', { name: /Change/ }).click();
  await page.getByRole('dialog').getByText('Li Wei').first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('row', { name: /Manager.*Li Wei/ }).getByRole('button', { name: /Remove/ }).click();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('row', { name: /Manager.*Li Wei/ }).waitFor();
  assert.equal(list(fake, '/escalation/people').length, 2);
}));

test('what if: asked by the clock at the site, it names the window, quiet hours and who is asked when', () => on('/devices/dev-0-9', async ({ page }) => {
  await page.getByLabel(/At \(site/).fill('2026-11-29T03:00');
  const asked = page.waitForRequest(/escalation\/forecast/);
  await page.getByRole('button', { name: 'Foresee' }).click();
  assert.match((await asked).url(), /local=2026-11-29T03%3A00/);
  const told = page.locator('.told');
  await told.getByText(/maintenance from .*更换光缆/).waitFor();
  await told.getByText('If it still stands at 03:30:00:').waitFor();
  await told.getByText(/e-mail \(quiet hours until 07:30:00\)/).waitFor();
}));

test('the audit leads to what is wrong; another installation gets its address once', () => on('/audit', async ({ page }) => {
  await page.getByRole('row', { name: /A rota has a gap/ }).getByRole('link').waitFor();
  await page.getByRole('row', { name: /pushes alone.*Zhao Lin/ }).waitFor();
  await page.getByRole('row', { name: /address is gone.*410/ }).waitFor();
  await page.getByRole('row', { name: /silent.*备用中心/ }).waitFor();
  const form = page.locator('form').filter({ has: page.getByLabel('Seconds of silence') });
  await form.getByLabel('Name').fill('Harbour III');
  await form.getByLabel('Site').selectOption('site-0');
  await form.getByRole('button', { name: 'Add installation' }).click();
  await page.getByText('It is shown once').waitFor();
  assert.equal(await page.locator('.copy textarea').inputValue(), 'https://noc.example.com/api/v1/heartbeat?token=made-up');
}));

test('a window is extended, a visit arrives, and ending one asks first', () => on('/maintenance', async ({ page, fake }) => {
  const running = page.getByRole('row', { name: /更换光缆/ });
  const until = list(fake, '/maintenance').find((one) => one.id === 'w-1').until;
  await running.getByRole('button', { name: '+ 1 h' }).click();
  await running.getByRole('button', { name: 'End now' }).click();
  assert.ok(list(fake, '/maintenance').find((one) => one.id === 'w-1').until > until);
  await running.getByRole('button', { name: 'End now' }).click();
  await running.waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /painters/ }).getByRole('button', { name: /arrived/i }).click();
  await page.waitForFunction(() => [...document.querySelectorAll('tr')].some((row) => row.textContent.includes('painters') && row.querySelector('.state.maintenance')));
}));

test('a site and the live page say that maintenance is under way, and why', async () => {
  await on('/sites/site-0', async ({ page }) => { await page.locator('.maintained').getByText(/更换光缆 new fibre/).waitFor(); });
  await on('/', async ({ page }) => {
    const held = page.locator('.inc.faded');
    await held.getByText('Pages are withheld').waitFor();
    await held.getByText(/maintenance is under way.*更换光缆/).waitFor();
  }, { size: 200 });
});
