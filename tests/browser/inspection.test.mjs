// Inspections as people work with them: agreed, moved with consent by keyboard, by dragging and on a phone, done, and what a plan waits for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function withPage(how, tell) {
  const fake = await startFake({ size: 10, ...how });
  const opened = await open(browser, `${fake.url}/inspections${how.path ?? ''}`, how);
  try {
    await tell({ fake, ...opened, all: fake.world.inspected.list });
    assert.deepEqual(opened.errors.filter((text) => !/40[049]/.test(text)), []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const day = (days) => new Date(Date.now() + 8 * 3_600_000 + days * 86_400_000).toISOString().slice(0, 10);
const sheet = (page) => page.getByRole('dialog');

test('one is opened by keyboard and moved with the consent that is asked for', () => withPage({ path: '?view=list' }, async ({ page, all, fake }) => {
  const agreed = all.find((one) => one.state === 'agreed');
  fake.world.visits.visits[0].planned_at = Date.parse(`${day(8)}T09:00:00+08:00`);
  await page.goto(`${page.url().split('?')[0]}?view=list&month=${agreed.day.slice(0, 7)}`);
  const row = page.getByRole('row').filter({ hasText: 'monthly 4' });
  await row.waitFor();
  await page.keyboard.press('j');
  await row.getByRole('button', { name: 'monthly 4' }).focus();
  await page.keyboard.press('Enter');
  await sheet(page).getByText('agreed').first().waitFor();
  await sheet(page).getByRole('button', { name: 'Move' }).press('Enter');
  const to = day(8);
  await sheet(page).getByText('Nobody else is sent anywhere that day').waitFor();
  // What suits is offered with its reasons and taken with one press.
  const suits = sheet(page).getByRole('region', { name: 'Days that suit' });
  await suits.getByText('Ferry Pier 3.1 km, Tunnel South 11.8 km, not agreed yet, 4 visits that day').waitFor();
  await suits.getByText('everybody is busy').waitFor();
  await suits.getByRole('button').nth(1).click();
  assert.equal(await sheet(page).locator('input[name=day]').inputValue(), day(5));
  assert.equal(await suits.getByRole('button', { pressed: true }).count(), 1);
  await sheet(page).locator('input[name=day]').fill(to);
  await sheet(page).getByText('1 other visit is planned for that day').waitFor();
  await sheet(page).locator('form').getByRole('button', { name: 'Move' }).press('Enter');
  assert.equal(agreed.day, day(6), 'nobody consented yet');
  await sheet(page).getByLabel('Who of the customer consents').fill('Ms Zhou');
  await sheet(page).locator('input[name=reason]').fill('stocktaking');
  await page.keyboard.press('Enter');
  await sheet(page).getByText('moved with consent').waitFor();
  await sheet(page).getByText(/→.*Ms Zhou.*by telephone.*stocktaking/).waitFor();
  assert.deepEqual([agreed.state, agreed.day], ['moved', to]);
  await page.keyboard.press('Escape');
  await sheet(page).waitFor({ state: 'detached' }).catch(() => {});
}));

test('dragging to another day asks for the consent first', () => withPage({}, async ({ page, all }) => {
  const proposed = all.find((one) => one.state === 'proposed');
  await page.goto(`${page.url().split('?')[0]}?month=${proposed.day.slice(0, 7)}`);
  const chip = page.locator('.chip').filter({ hasText: 'monthly 3' });
  await chip.waitFor();
  const cells = page.locator('.month > li');
  const from = await cells.evaluateAll((list) => list.findIndex((cell) => cell.textContent.includes('monthly 3')));
  const other = from >= 41 ? from - 1 : from + 1;
  await chip.dragTo(cells.nth(other));
  await sheet(page).locator('input[name=day]').waitFor();
  assert.equal(await sheet(page).locator('input[name=day]').inputValue(), day(1 + other - from));
  assert.equal(proposed.state, 'proposed');
  await sheet(page).getByLabel('Who of the customer consents').fill('Ms Zhou');
  await sheet(page).locator('form').getByRole('button', { name: 'Move' }).click();
  await sheet(page).getByText('moved with consent').waitFor();
  assert.equal(proposed.day, day(1 + other - from));
}));

test('on a phone a customer moves it in their own name', () => withPage({ role: 'customer', width: 390, height: 844, touch: true, language: 'zh' }, async ({ page, all }) => {
  const moved = all.find((one) => one.state === 'moved');
  await page.goto(`${page.url().split('?')[0]}?month=${moved.day.slice(0, 7)}`);
  await page.locator('.chip').filter({ hasText: 'quarterly 3 + annual 1' }).tap();
  await sheet(page).getByText('已改期').first().waitFor();
  await sheet(page).getByRole('button', { name: '改期' }).tap();
  assert.equal(await sheet(page).locator('input[name=by]').count(), 0, 'who is signed in consents');
  await sheet(page).locator('input[name=day]').fill(day(5));
  await sheet(page).locator('form').getByRole('button', { name: '改期' }).tap();
  await sheet(page).getByText('客户本人账号').waitFor();
  assert.deepEqual([moved.day, moved.events.at(-1).body.by], [day(5), 'Ada']);
}));

test('a plan that waits gets its day, and what was done says which devices', () => withPage({}, async ({ page, all }) => {
  await page.getByText('Waits for a day').waitFor();
  await page.getByText('Counted from: commissioning. Rules: second_month, annual').waitFor();
  await page.getByText('after second_month').waitFor();
  await page.locator('form input[type=date]').fill('2026-01-31');
  await page.getByRole('button', { name: 'Set' }).click();
  await page.getByText('Waits for a day').waitFor({ state: 'detached' });
  const done = all.find((one) => one.state === 'done');
  await page.goto(`${page.url().split('?')[0]}?view=list&month=${done.day.slice(0, 7)}`);
  await page.getByRole('button', { name: 'monthly 8' }).click();
  await sheet(page).getByText('nobody has said which').waitFor();
  await sheet(page).getByRole('button', { name: 'All of the site' }).click();
  await sheet(page).getByText('devices written down').waitFor();
  assert.ok(done.devices > 0);
}));

test('a sheet is prefilled on a phone, and what is wrong becomes a ticket', () => withPage({ role: 'administrator', width: 390, height: 844, touch: true }, async ({ page, all }) => {
  const agreed = all.find((one) => one.state === 'agreed');
  await page.goto(`${page.url().split('?')[0]}?month=${agreed.day.slice(0, 7)}`);
  await page.locator('.chip').filter({ hasText: 'monthly 4' }).tap();
  await sheet(page).getByText('6 items open').waitFor();
  await sheet(page).getByRole('button', { name: 'Confirm 2 items that were measured fine' }).tap();
  await sheet(page).getByText('XJ-2026-0007').waitFor();
  await sheet(page).getByText('4 items open').waitFor();
  await sheet(page).getByText(/measured: down/).waitFor();
  const down = sheet(page).locator('.checklist li').filter({ hasText: 'measured: down' });
  await down.getByRole('button', { name: /^wrong/ }).tap();
  await sheet(page).locator('input[name=note]').fill('fuse blown');
  await sheet(page).locator('form').getByRole('button', { name: 'wrong' }).tap();
  await sheet(page).getByText('fuse blown').waitFor();
  await sheet(page).getByRole('link', { name: '#1031' }).waitFor();
  await sheet(page).locator('.checklist li').filter({ hasText: 'AC voltage' }).getByRole('button', { name: /^fine/ }).tap();
  await sheet(page).locator('input[name=value]').fill('228 V');
  await sheet(page).locator('form').getByRole('button', { name: 'fine' }).tap();
  await sheet(page).getByText('228 V').waitFor();
  await sheet(page).getByText('2 items open').waitFor();
}));

test('without a contract the page says where inspections come from', () => withPage({ size: 0 }, async ({ page }) => {
  await page.getByText('No contract in service owes inspections').waitFor();
  await page.getByRole('link', { name: 'Contracts' }).last().waitFor();
}));

const goTo = (page, one) => page.goto(`${page.url().split('?')[0]}?view=list&month=${one.day.slice(0, 7)}&one=${one.id}`);
const itemOf = (page, text) => sheet(page).locator('.checklist li').filter({ hasText: text });

test('what a customer asks for is planned by keyboard, shown apart, and taken back', () => withPage({}, async ({ page, all }) => {
  await page.locator('.month .chip').first().waitFor();
  await page.keyboard.press('c');
  await sheet(page).getByText('no rule of the contract owes').waitFor();
  await sheet(page).locator('select[name=kind]').selectOption('upgrade');
  assert.equal(await sheet(page).locator('select[name=way]').inputValue(), 'remote', 'what is usual for an upgrade');
  await sheet(page).locator('select[name=kind]').selectOption('event_watch');
  assert.equal(await sheet(page).locator('select[name=way]').inputValue(), 'visit');
  await sheet(page).locator('form').getByRole('button', { name: 'Plan one' }).press('Enter');
  assert.equal(all.filter((one) => one.rule === 'event_watch').length, 0, 'no site, no day, nobody asked');
  await sheet(page).locator('select[name=site]').selectOption({ index: 1 });
  await sheet(page).locator('input[name=day]').fill(day(10));
  await sheet(page).locator('input[name=until]').fill(day(12));
  await sheet(page).locator('input[name=by]').fill('Ms Zhou');
  await sheet(page).locator('input[name=why]').fill('city games');
  await sheet(page).locator('textarea[name=lines]').fill('stand by the gate\n\nspare camera');
  await sheet(page).locator('input[name=why]').press('Enter');
  await sheet(page).getByText('asked for, not owed').waitFor();
  await sheet(page).getByText('city games').first().waitFor();
  const watch = all.find((one) => one.rule === 'event_watch');
  assert.deepEqual([watch.state, watch.day, watch.window_to, watch.by_hand.asked_by, watch.checklist], ['agreed', day(10), day(12), 'Ms Zhou', ['stand by the gate', 'spare camera']]);
  await sheet(page).getByRole('button', { name: 'Take back' }).click();
  await sheet(page).locator('form').getByRole('button', { name: 'Take back' }).click();
  assert.equal(watch.state, 'agreed', 'nobody said why');
  await sheet(page).locator('input[name=reason]').fill('the wrong site');
  await sheet(page).locator('form').getByRole('button', { name: 'Take back' }).click();
  await sheet(page).getByText('the wrong site').waitFor();
  assert.equal(watch.state, 'dropped');
  await page.keyboard.press('Escape');
  await page.locator('.asked').getByText('city games').waitFor({ state: 'detached' });
  await page.locator('.month .chip').filter({ hasText: 'event watch 1' }).waitFor({ state: 'detached' });
}));

test('a training session is written down on a phone: goals, names, hours', () => withPage({ width: 390, height: 844, touch: true, language: 'zh' }, async ({ page, all }) => {
  const training = all.find((one) => one.rule === 'training');
  await goTo(page, training);
  await sheet(page).getByText('临时安排，非条款应做').waitFor();
  await itemOf(page, '参训人员').getByRole('button', { name: /^填写/ }).tap();
  await itemOf(page, '参训人员').locator('input[name=value]').fill('王芳，李伟、王芳');
  await itemOf(page, '参训人员').getByText('2 人').waitFor();
  await itemOf(page, '参训人员').getByRole('button', { name: '保存' }).tap();
  await itemOf(page, '参训人员').getByText('王芳、李伟').waitFor();
  await itemOf(page, '学时').getByRole('button', { name: /^填写/ }).tap();
  await itemOf(page, '学时').locator('input[name=value]').fill('two');
  await itemOf(page, '学时').getByRole('button', { name: '保存' }).tap();
  await itemOf(page, '学时').locator('input[name=value]').fill('2.5');
  await itemOf(page, '学时').getByRole('button', { name: '保存' }).tap();
  await itemOf(page, '学时').getByText('2.5').waitFor();
  await itemOf(page, '理论授课').getByRole('button', { name: /^正常/ }).tap();
  await sheet(page).getByText('未答 1 项').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing stands over the edge');
}));

test('each test of a sample says what was wanted and measured, and another may follow', () => withPage({}, async ({ page, all }) => {
  await goTo(page, all.find((one) => one.rule === 'sample_test'));
  await itemOf(page, 'Indicator').getByRole('button', { name: /^failed/ }).click();
  const form = sheet(page).locator('.checklist form');
  await form.locator('input[name=what]').fill('resolution');
  await form.locator('input[name=wanted]').fill('600 lines');
  await form.locator('input[name=value]').fill('520 lines');
  await form.locator('input[name=note]').fill('too coarse');
  await form.getByRole('button', { name: 'failed' }).click();
  await sheet(page).getByText('resolution: wanted 600 lines, measured 520 lines').waitFor();
  await sheet(page).getByText('1 item open').waitFor();
  await itemOf(page, 'Another test').getByRole('button', { name: /^passed/ }).click();
  await form.locator('input[name=what]').fill('frame rate');
  await form.locator('input[name=wanted]').fill('25');
  await form.locator('input[name=value]').fill('25');
  await form.getByRole('button', { name: 'passed' }).click();
  await sheet(page).getByText('frame rate: wanted 25, measured 25').waitFor();
  await itemOf(page, 'Another test').waitFor();
}));

test('who may not plan is not asked to', () => withPage({ role: 'customer' }, async ({ page }) => {
  await page.locator('.month .chip').first().waitFor();
  assert.equal(await page.getByRole('button', { name: 'Plan one' }).count(), 0);
}));
