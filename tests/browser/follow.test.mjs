// Calling customers back: who waits, what was answered in the contract's words, and a call that nobody takes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function withPage(how, tell) {
  const fake = await startFake({ size: 10, ...how });
  const opened = await open(browser, `${fake.url}/follow`, how);
  try {
    await tell({ fake, ...opened, followed: fake.world.followed });
    assert.deepEqual(opened.errors.filter((text) => !/40[049]/.test(text)), []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const sheet = (page) => page.getByRole('dialog');

for (const [name, how] of [['on the desk', {}], ['on a phone', { width: 390, height: 844 }]]) {
  test(`an answer in the contract's words files the visit, ${name}`, () => withPage(how, async ({ page, followed }) => {
    const row = page.getByRole('row').filter({ hasText: '#1031' });
    await row.getByText('overdue').waitFor();
    await row.getByText('no answer, 2 of 3').waitFor();
    await row.getByRole('button', { name: 'Call back' }).click();
    const visit = followed.owed[0].visit_id;
    await sheet(page).locator('input[name=who]').fill('Ms Zhou');
    await sheet(page).locator('select[name=word]').selectOption('不满意');
    await sheet(page).locator('textarea[name=opinion]').fill('三天才来');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    assert.equal(followed.calls.size, 0, 'whether it is done was not said');
    await sheet(page).locator('select[name=completed]').selectOption('yes');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await row.waitFor({ state: 'detached' });
    const [call] = followed.calls.get(visit);
    assert.deepEqual([call.word, call.points, call.opinion, call.completed], ['不满意', -5, '三天才来', true]);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
  }));
}

test('a call that nobody takes is counted, and the next one waits', () => withPage({}, async ({ page, followed }) => {
  const row = page.getByRole('row').filter({ hasText: '#1032' });
  const nobody = async () => {
    await row.getByRole('button', { name: 'Call back' }).click();
    await sheet(page).getByRole('button', { name: 'No answer' }).click();
    await sheet(page).getByRole('button', { name: 'Save' }).click();
  };
  await nobody();
  await row.getByText('no answer, 1 of 3').waitFor();
  await nobody();
  await sheet(page).getByText('call again in 30 min').waitFor();
  assert.equal(followed.owed.find((one) => one.ticket_number === 1032).unanswered, 1);
}));
