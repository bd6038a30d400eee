// What a person does with contracts and calendars on the page, told step by step against the fake server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function withPage(options, tell) {
  const fake = await startFake({ size: 10, ...options });
  const opened = await open(browser, 'about:blank', options.look);
  try {
    await tell({ fake, ...opened, go: (to) => opened.page.goto(fake.url + to) });
    assert.deepEqual(opened.errors.filter((text) => !/40[49]|422/.test(text)), []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const field = (page) => page.locator('textarea[name=text]');
const retype = (page, from, to) => field(page).evaluate((part, [a, b]) => {
  part.value = part.value.replace(a, b);
  part.dispatchEvent(new Event('input', { bubbles: true }));
}, [from, to]);

test('a template becomes a registered contract', () => withPage({}, async ({ page, fake, go }) => {
  await go('/contracts');
  await page.locator('tbody tr').first().waitFor();
  await page.keyboard.press('n');
  await page.getByRole('button', { name: /Regional service on working days/ }).click();
  await page.getByText('Can be used').waitFor();
  assert.match(await field(page).inputValue(), /\[contract\]/);
  await page.getByRole('button', { name: 'Register', exact: true }).click();
  const sheet = page.getByRole('dialog', { name: 'Register' });
  await sheet.locator('select[name=customer]').selectOption({ label: 'Harbour Authority' });
  await sheet.getByLabel('North Gate').waitFor();
  await sheet.getByRole('button', { name: 'Register' }).click();
  await page.waitForURL(/\/contracts\/contract-5$/);
  assert.equal(fake.world.promised.list.length, 5);
  await page.getByText('On record, and promises nothing yet').waitFor();
  assert.equal(await page.evaluate(() => localStorage.getItem('sitewarden.contract.new')), null, 'what is on record is no draft any more');
}));

test('each remark stands beside its line, leads to it, and keeps the text from being saved', () => withPage({}, async ({ page, go }) => {
  await go('/contracts/contract-1');
  await page.getByText('Can be used').waitFor();
  await retype(page, 'target = "2h"', 'target = "24天"');
  const remark = page.getByRole('button', { name: /24天 may be meant as 24 hours/ });
  await remark.waitFor();
  await page.getByText('Cannot be used').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Save version' }).isDisabled());
  await remark.focus();
  await page.keyboard.press('Enter');
  const chosen = await field(page).evaluate((part) => part.value.slice(part.selectionStart, part.selectionEnd));
  assert.equal(chosen, '"24天"');
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'text');
  assert.equal(await page.locator('.gutter button.down').count(), 1);
  // The other way: from the mark beside the line to what is said about it.
  await page.getByRole('button', { name: 'A call' }).click();
  await page.getByText('This needs a text without errors').waitFor();
  await page.locator('.gutter button.down').click();
  await page.locator('li.here').getByText('Write 24h').waitFor();
  await retype(page, '24天', '3h');
  await page.getByText('Can be used').waitFor();
}));

test('what was typed survives the page, and says so', () => withPage({}, async ({ page, go }) => {
  await go('/contracts/contract-1');
  await page.getByText('Can be used').waitFor();
  await retype(page, 'target = "2h"', 'target = "3h"');
  await page.getByText('Not saved; kept in this browser').waitFor();
  page.on('dialog', (dialog) => void dialog.accept());
  await page.reload();
  await page.getByText(/What was typed here on .* and not saved is back/).waitFor();
  assert.match(await field(page).inputValue(), /target = "3h"/);
  await page.getByRole('button', { name: 'My changes' }).click();
  const sheet = page.getByRole('dialog', { name: 'My changes' });
  await sheet.getByText('target = "3h"').waitFor();
  await sheet.getByText('target = "2h"').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Contracts', exact: true }).first().click();
  await page.getByText('unsaved text').waitFor();
  await page.goBack();
  await page.getByRole('button', { name: 'Discard' }).click();
  assert.match(await field(page).inputValue(), /target = "2h"/);
}));

test('who saves second sees what the first one changed and saves on top of it', () => withPage({}, async ({ page, fake, go }) => {
  await go('/contracts/contract-1');
  await page.getByText('Can be used').waitFor();
  await retype(page, 'target = "2h"', 'target = "3h"');
  const stands = fake.world.promised.list[0];
  fake.world.promised.save(stands, { base: 2, text: stands.text.replace('target = "2h"', 'target = "90m"'), note: 'first' }, 'zhou.min');
  await page.getByRole('button', { name: 'Save version' }).click();
  await page.locator('input[name=note]').fill('mine');
  await page.getByRole('dialog', { name: 'Save version' }).getByRole('button', { name: 'Save version' }).click();
  const sheet = page.getByRole('dialog', { name: 'Somebody saved before you' });
  await sheet.getByText('version 3 was saved by zhou.min').waitFor();
  await sheet.getByText('target = "90m"').waitFor();
  await sheet.getByText('target = "3h"').waitFor();
  await sheet.getByRole('button', { name: 'Save mine on top of v3' }).click();
  await page.locator('input[name=note]').fill('mine, on top');
  await page.getByRole('dialog', { name: 'Save version' }).getByRole('button', { name: 'Save version' }).click();
  await page.getByRole('cell', { name: 'mine, on top' }).waitFor();
  assert.equal(stands.version, 4);
  assert.match(stands.text, /target = "3h"/);
}));

test('a call is answered in words, with every stretch until it is due', () => withPage({}, async ({ page, go }) => {
  await go('/contracts/contract-1');
  await page.getByRole('button', { name: 'A call' }).click();
  await page.locator('input[name=at]').fill('2026-02-13T22:40');
  await page.getByText('Who calls on Fri 13 Feb 22:40 is promised').waitFor();
  await page.getByText('by Sat 14 Feb 13:58').waitFor();
  await page.getByText('Provisional: the holidays there are not announced yet').waitFor();
  await page.locator('details summary').first().click();
  await page.getByText('outside hours').first().waitFor();
  await page.getByText('Counted in all: 4 h').first().waitFor();
  await page.getByRole('button', { name: 'Prices' }).click();
  await page.getByText('The contract has no price list.').waitFor();
}));

test('a contract that lacks something says everything it lacks, and one that lacks nothing goes on', () => withPage({}, async ({ page, fake, go }) => {
  await go('/contracts/contract-2');
  await page.getByText('2 things are missing before it can be accepted').waitFor();
  await page.getByRole('button', { name: 'Accept', exact: true }).click();
  const sheet = page.getByRole('dialog', { name: 'Accept' });
  await sheet.getByLabel('Number of the completion form').fill('WG-17');
  await sheet.getByRole('button', { name: 'Accept' }).click();
  await sheet.getByRole('alert').getByText('North Gate has no address').waitFor();
  assert.equal(fake.world.promised.list[1].state, 'registered');
  await page.keyboard.press('Escape');
  await go('/contracts/contract-3');
  await page.getByRole('button', { name: 'Put in service' }).click();
  await page.getByText('Tickets of its sites run against its clocks').waitFor();
  await page.getByRole('button', { name: 'End contract' }).click();
  await page.locator('input[name=reason]').fill('renewed');
  await page.getByRole('dialog').getByRole('button', { name: 'End contract' }).click();
  await page.getByText('It promises nothing new').waitFor();
  assert.ok(await field(page).evaluate((part) => part.readOnly));
}));

test('a customer reads its contract and is offered nothing else', () => withPage({ role: 'customer' }, async ({ page, go }) => {
  await go('/contracts/contract-1');
  await field(page).waitFor();
  assert.ok(await field(page).evaluate((part) => part.readOnly));
  assert.equal(await page.locator('.side').count(), 0);
  assert.equal(await page.getByRole('button', { name: /Save|End contract|Choose sites/ }).count(), 0);
  await page.getByRole('button', { name: 'What changed' }).click();
  await page.getByText('target = "4h"').last().waitFor();
}));

test('the calendar shows what is free, what is worked and how far that is known', () => withPage({}, async ({ page, go }) => {
  await go('/calendar?month=2026-02');
  await page.getByText('Holidays are announced up to 31 Dec 2026').waitFor();
  const day = (text) => page.locator('.month li').filter({ hasText: text });
  await day('14 Feb 2026').getByText('班').waitFor();
  await day('17 Feb 2026').getByText('休').waitFor();
  await page.getByLabel('Which calendar').selectOption({ index: 1 });
  await day('14 Feb 2026').getByText('08:30-12:00', { exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('n');
  await page.getByRole('heading', { name: /March 2026/ }).waitFor();
  await page.getByRole('button', { name: 'Year', exact: true }).click();
  await page.locator('.year .small').nth(11).waitFor();
  await page.keyboard.press('n');
  await page.getByText('Beyond what is known').waitFor();
  assert.match(page.url(), /view=year/);
}));
