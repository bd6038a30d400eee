// What is sent to sites, as people work with it: a list from what is in use, counted against the boxes, sent and taken, by keyboard and on a phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function withPage(how, tell) {
  const fake = await startFake({ size: 10, ...how });
  const opened = await open(browser, `${fake.url}/parts?view=consignments`, how);
  try {
    await tell({ fake, ...opened });
    assert.deepEqual(opened.errors, []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const sheet = (page) => page.getByRole('dialog');

test('a list comes from what is in use, goes when the boxes hold it, and is taken', () => withPage({}, async ({ page }) => {
  await page.getByRole('row').filter({ hasText: 'late' }).waitFor();
  await page.getByRole('button', { name: 'Write a list' }).press('Enter');
  await sheet(page).getByRole('button', { name: 'Propose from what is in use' }).click();
  await sheet(page).getByText('Kinds in use there: 1').waitFor();
  await sheet(page).getByText('5 needed').waitFor();
  assert.equal(await sheet(page).locator('input[name=quantity]').inputValue(), '5');
  // Another length of time needs another number; it is told, and whoever writes decides.
  await sheet(page).locator('input[name=months]').fill('12');
  await sheet(page).getByText('3 needed').waitFor();
  await sheet(page).locator('input[name=quantity]').fill('2');
  await sheet(page).locator('input[name=due]').fill('2026-12-31');
  await sheet(page).locator('input[name=note]').fill('for the new hall');
  await sheet(page).getByRole('button', { name: 'Save' }).press('Enter');
  const row = page.getByRole('row').filter({ hasText: 'for the new hall' });
  await row.getByText('24 in use, 8.5 % a year, 12 months').waitFor();
  await row.getByRole('button', { name: /Compare and release/ }).press('Enter');
  const go = sheet(page).getByRole('button', { name: 'Compare and release' });
  await sheet(page).getByText('2 listed, 0 packed').waitFor();
  assert.equal(await go.isDisabled(), true, 'nothing was counted yet');
  await sheet(page).locator('input[name=waybill]').fill('SF77');
  await sheet(page).locator('textarea').fill('DS2-88412\nDS2-88413，DS2-88414');
  await sheet(page).getByText('2 listed, 3 packed').waitFor();
  assert.equal(await go.isDisabled(), true);
  await sheet(page).locator('textarea').fill('DS2-88412 DS2-88413');
  await sheet(page).getByText('What was packed is the list.').waitFor();
  // What is on no list does not go unseen.
  await sheet(page).getByLabel('Something else was packed').selectOption({ label: 'RJ45 · Plug RJ45' });
  await sheet(page).getByRole('button', { name: 'Add a line' }).click();
  await sheet(page).locator('input[type=number]').fill('7');
  await sheet(page).getByText('0 listed, 7 packed').waitFor();
  assert.equal(await go.isDisabled(), true);
  await sheet(page).locator('input[type=number]').fill('');
  await go.press('Enter');
  await row.getByText('on its way').waitFor();
  await row.getByText('SF77').first().waitFor();
  await row.getByRole('button', { name: /It arrived/ }).press('Enter');
  await sheet(page).getByLabel('Who of the customer took it').fill('Ms Zhou');
  await page.keyboard.press('Enter');
  await row.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Ended ones, too' }).click();
  await row.getByText('Ms Zhou took it').waitFor();
}));

test('on a phone, in Chinese, a list for a ticket is written and given up', () => withPage({ width: 390, height: 844, language: 'zh' }, async ({ page, fake }) => {
  await page.getByRole('button', { name: '新建清单' }).click();
  await sheet(page).locator('select[name=purpose]').selectOption('parts');
  await sheet(page).locator('input[name=ticket]').fill('#1031');
  await sheet(page).locator('input[name=note]').fill('门口机电源');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} px`);
  await sheet(page).getByRole('button', { name: '保存' }).click();
  const row = page.getByRole('row').filter({ hasText: '门口机电源' });
  await row.getByRole('button', { name: /不发了/ }).click();
  await sheet(page).locator('input[name=note]').fill('现场已有');
  await sheet(page).getByRole('button', { name: '保存' }).click();
  await row.waitFor({ state: 'detached' });
  const one = fake.world.lying.sends.find((each) => each.note === '门口机电源');
  assert.deepEqual([one.state, one.end_note, one.ticket_id, one.months], ['dropped', '现场已有', '1031', 0]);
}));
