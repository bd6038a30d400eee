// Major requests: nothing is begun before three consents stand; a refusal ends it; by keyboard, on a phone, and for the customer.
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
    await tell({ fake, ...opened, asked: fake.world.asked });
    assert.deepEqual(opened.errors.filter((text) => !/40[049]/.test(text)), []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const sheet = (page) => page.getByRole('dialog');
const side = (page, name) => sheet(page).getByRole('listitem').filter({ hasText: name }).first();
const begin = (page) => sheet(page).getByRole('button', { name: 'Begin the work' });

for (const [name, how] of [['on the desk', {}], ['on a phone', { width: 390, height: 844 }]]) {
  test(`three consents, then the work, ${name}`, () => withPage(how, '/follow?view=majors', async ({ page, asked }) => {
    await page.getByRole('link', { name: 'Open 2' }).click();
    assert.equal(await begin(page).count(), 0, 'two consents are lacking');
    await sheet(page).getByText('Nothing may be begun before all three have consented.').waitFor();
    await side(page, 'Business department').getByRole('button', { name: 'Consent' }).click();
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await side(page, 'Business department').getByText('Ada').waitFor();
    assert.equal(await begin(page).count(), 0, 'the customer has not consented');
    await side(page, "Customer's leader").getByRole('button', { name: 'Consent' }).click();
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    assert.equal(asked.read(asked.list[0]).state, 'raised', 'who of the customer was not said');
    await sheet(page).locator('input[name=who]').fill('赵主任');
    await sheet(page).locator('select[name=how]').selectOption('letter');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await begin(page).click();
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await sheet(page).getByRole('button', { name: 'Write down how it ended' }).click();
    await sheet(page).locator('select[name=outcome]').selectOption('partly');
    await sheet(page).locator('textarea[name=text]').fill('Two of three weeks are back');
    await sheet(page).getByRole('button', { name: 'Save' }).click();
    await sheet(page).getByText('Two of three weeks are back').waitFor();
    assert.deepEqual(asked.list[0].events.map((event) => `${event.kind} ${event.side}`.trim()), ['raised', 'consent technical', 'consent business', 'consent customer', 'begun', 'done']);
    assert.equal(asked.list[0].events[3].how, 'letter');
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
  }));
}

test('a consent is taken back before the work, by keyboard, and a refusal needs a reason', () => withPage({}, '/follow?view=majors&open=major-3', async ({ page, asked }) => {
  await begin(page).waitFor();
  await side(page, "Customer's leader").getByRole('button', { name: 'Take the consent back' }).focus();
  await page.keyboard.press('Enter');
  await sheet(page).locator('input[name=who]').fill('赵主任');
  await sheet(page).locator('textarea[name=text]').fill('Not before the audit');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await sheet(page).getByText('Not before the audit').waitFor();
  assert.equal(await begin(page).count(), 0, 'it may not be begun any more');
  await side(page, "Customer's leader").getByRole('button', { name: 'Refuse' }).click();
  await sheet(page).locator('input[name=who]').fill('赵主任');
  await sheet(page).getByRole('button', { name: 'Save' }).click();
  assert.equal(asked.read(asked.list[1]).state, 'raised', 'why was not said');
  await sheet(page).locator('textarea[name=text]').fill('We do it ourselves');
  await sheet(page).getByRole('button', { name: 'Save' }).click();
  await sheet(page).locator('.state.down').waitFor();
  assert.equal(await sheet(page).getByRole('button', { name: 'Consent' }).count(), 0);
  assert.equal(asked.read(asked.list[1]).state, 'refused');
}));

test('raised from its ticket; whoever raised it does not approve of it', () => withPage({}, '/tickets/1032', async ({ page, asked }) => {
  await page.getByRole('link', { name: 'Raise a major request' }).click();
  assert.equal(await sheet(page).locator('input[name=ticket]').inputValue(), '1032');
  await sheet(page).locator('select[name=kind]').selectOption('serious');
  await sheet(page).locator('select[name=cause]').selectOption('network');
  await sheet(page).locator('textarea[name=report]').fill('All doors stand open');
  await sheet(page).locator('textarea[name=plan]').fill('Move the controllers to the second switch');
  await sheet(page).getByRole('button', { name: 'Raise a major request' }).click();
  await sheet(page).getByText('You raised it').waitFor();
  assert.equal(asked.list.at(-1).ticket_number, 1032);
  assert.equal(await side(page, 'Technical department').getByRole('button').count(), 0);
  assert.equal(await side(page, "Customer's leader").getByRole('button', { name: 'Consent' }).count(), 1);
}));

test('a customer consents in its own name, for its own side only', () => withPage({ role: 'customer' }, '/follow?view=majors&open=major-2', async ({ page, asked }) => {
  await side(page, "Customer's leader").getByRole('button', { name: 'Consent' }).click();
  assert.equal(await sheet(page).locator('input[name=who]').count(), 0);
  await sheet(page).getByRole('button', { name: 'Save' }).click();
  await side(page, "Customer's leader").getByText('signed in here').waitFor();
  assert.equal(await side(page, 'Business department').getByRole('button').count(), 0);
  assert.equal(await begin(page).count(), 0);
  assert.equal(asked.list[0].events.at(-1).side, 'customer');
}));
