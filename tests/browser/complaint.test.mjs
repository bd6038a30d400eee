// Complaints: taken down, looked into, answered and summed up; begun by a call-back that was not content; by keyboard and on a phone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function withPage(how, path, tell) {
  const fake = await startFake({ size: 10, ...how });
  const opened = await open(browser, `${fake.url}${path}`, how);
  try {
    await tell({ fake, ...opened, complained: fake.world.complained, go: (to) => opened.page.goto(fake.url + to) });
    assert.deepEqual(opened.errors.filter((text) => !/40[049]/.test(text)), []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const sheet = (page) => page.getByRole('dialog');

for (const [name, how] of [['on the desk', {}], ['on a phone', { width: 390, height: 844 }]]) {
  test(`from a call to what is to be better, ${name}`, () => withPage(how, '/follow', async ({ page, complained }) => {
    await page.getByRole('button', { name: 'Complaints' }).click();
    await page.getByRole('row').filter({ hasText: 'Complaint 4' }).getByText('late by 3 h').waitFor();
    await page.getByRole('link', { name: 'Take down a complaint' }).click();
    await sheet(page).locator('input[name=ticket]').fill('#1032');
    await sheet(page).locator('select[name=subject]').selectOption('attitude');
    await sheet(page).locator('input[name=who]').fill('Mr Qian');
    await sheet(page).locator('textarea[name=words]').fill('He hung up on me');
    await sheet(page).getByRole('button', { name: 'Take down a complaint' }).click();
    await sheet(page).getByText('by the contract: 8h').waitFor();
    const one = complained.list.at(-1);
    assert.deepEqual([one.ticket_number, one.subject, one.words], [1032, 'attitude', 'He hung up on me']);
    await sheet(page).getByRole('button', { name: 'Look into it' }).click();
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await sheet(page).getByRole('button', { name: 'Answer the customer' }).click();
    await sheet(page).locator('textarea[name=text]').fill('We are sorry');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await sheet(page).getByRole('button', { name: 'Sum up and close' }).click();
    await sheet(page).locator('textarea[name=text]').fill('Three calls at once');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    assert.equal(one.state, 'answered', 'what is to be better was not said');
    await sheet(page).locator('textarea[name=improvement]').fill('A second person from 09:00 on');
    await sheet(page).locator('input[name=responsible]').fill('Wang Fang');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await sheet(page).getByText('A second person from 09:00 on').waitFor();
    assert.deepEqual(one.events.map((event) => event.kind), ['raised', 'investigating', 'answered', 'closed']);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
    await page.keyboard.press('Escape');
    await page.waitForURL((url) => !url.searchParams.has('open'));
    assert.equal(await page.getByRole('row').filter({ hasText: 'He hung up on me' }).filter({ hasText: 'Mr Qian' }).count(), 0, 'it is closed');
  }));
}

test('a call-back that was not content becomes a complaint about its visit', () => withPage({}, '/follow', async ({ page, complained, fake }) => {
  await page.getByRole('row').filter({ hasText: '#1031' }).getByRole('button', { name: 'Call back' }).click();
  const visit = fake.world.followed.owed[0].visit_id;
  await sheet(page).locator('input[name=who]').fill('Ms Zhou');
  assert.equal(await sheet(page).locator('input[name=complain]').count(), 0, 'nobody is displeased yet');
  await sheet(page).locator('select[name=word]').selectOption('不满意');
  await sheet(page).locator('textarea[name=opinion]').fill('三天才来');
  await sheet(page).locator('select[name=completed]').selectOption('yes');
  await sheet(page).locator('input[name=complain]').check();
  await sheet(page).getByRole('button', { name: 'Save' }).click();
  await sheet(page).locator('select[name=subject]').selectOption('response_time');
  assert.deepEqual([await sheet(page).locator('input[name=who]').inputValue(), await sheet(page).locator('textarea[name=words]').inputValue()], ['Ms Zhou', '三天才来']);
  await sheet(page).getByRole('button', { name: 'Take down a complaint' }).click();
  await sheet(page).getByRole('button', { name: 'Look into it' }).waitFor();
  assert.deepEqual([complained.list.at(-1).visit_id, complained.list.at(-1).words], [visit, '三天才来']);
}));

test('by keyboard; a refusal says what to do', () => withPage({}, '/follow?view=complaints', async ({ page }) => {
  const link = page.getByRole('link', { name: 'Open 6' });
  await link.focus();
  await page.keyboard.press('Enter');
  await sheet(page).getByText('He hung up on me.').waitFor();
  await sheet(page).getByRole('button', { name: 'Look into it' }).focus();
  await page.keyboard.press('Enter');
  await sheet(page).locator('select[name=holder] option[value=u-2]').waitFor({ state: 'attached' });
  await sheet(page).locator('select[name=holder]').selectOption('u-2');
  await sheet(page).getByRole('button', { name: 'Save' }).click();
  await sheet(page).getByText('let somebody else look into it').waitFor();
  await page.keyboard.press('Escape');
  await sheet(page).waitFor({ state: 'detached' });
}));

test('a ticket lists its complaints and takes another down', () => withPage({}, '/tickets/1032', async ({ page, complained }) => {
  const mine = complained.list.find((one) => one.ticket_number === 1032);
  if (mine) await page.getByRole('link', { name: `Complaint ${mine.number}` }).waitFor();
  await page.getByRole('link', { name: 'Take down a complaint' }).click();
  assert.equal(await sheet(page).locator('input[name=ticket]').inputValue(), '1032');
}));

test('a customer reads its own and does nothing with them', () => withPage({ role: 'customer' }, '/follow?view=complaints', async ({ page }) => {
  await page.getByRole('link', { name: 'Open 6' }).click();
  await sheet(page).getByText('He hung up on me.').waitFor();
  assert.equal(await sheet(page).getByRole('button', { name: 'Look into it' }).count(), 0);
  assert.equal(await page.getByRole('link', { name: 'Take down a complaint' }).count(), 0);
}));
