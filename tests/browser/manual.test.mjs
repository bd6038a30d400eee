// The manual of frequent faults: a cause that came again is taken over or passed over, a page is changed, taken out and put back.
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
    await tell({ fake, ...opened });
    assert.deepEqual(opened.errors, []);
  } finally {
    await opened.close();
    await fake.close();
  }
}
const part = (page, name) => page.getByRole('region', { name });

for (const [name, how] of [['on the desk', {}], ['on a phone', { width: 390, height: 844 }]]) {
  test(`a cause that came again becomes a page, ${name}`, () => withPage(how, '/follow?view=known', async ({ page }) => {
    const proposed = part(page, 'Came again and again'), manual = part(page, 'Manual of frequent faults');
    await proposed.getByText('from 3 tickets').waitFor();
    // Passed over, and that taken back.
    await proposed.getByRole('button', { name: 'Pass over' }).click();
    await proposed.waitFor({ state: 'detached' });
    await manual.getByRole('button', { name: 'Undo' }).click();
    await proposed.getByRole('button', { name: 'Take over' }).click();
    const form = page.getByRole('dialog');
    assert.equal(await form.locator('[name="cause"]').inputValue(), '硬盘老化 worn disk');
    await form.getByRole('button', { name: 'rebuilt' }).click();
    assert.equal(await form.locator('[name="solution"]').inputValue(), '更换硬盘并重建 new disk, rebuilt');
    await form.locator('[name="symptom"]').fill('one channel stops at night');
    await form.getByRole('button', { name: 'Save' }).click();
    await manual.getByText('one channel stops at night').waitFor();
    await proposed.waitFor({ state: 'detached' });
  }));
}

test('a page is changed, taken out and put back, and found by its words', () => withPage({}, '/follow?view=known', async ({ page }) => {
  const manual = part(page, 'Manual of frequent faults');
  await manual.getByRole('button', { name: 'Change' }).click();
  const form = page.getByRole('dialog');
  await form.locator('[name="solution"]').fill('Turn the seal round.');
  await form.getByRole('button', { name: 'Save' }).click();
  await manual.getByText('Turn the seal round.').waitFor();
  await manual.getByRole('button', { name: 'Take out' }).click();
  await manual.getByText('Taken out').waitFor();
  await manual.getByText('Turn the seal round.').waitFor({ state: 'detached' });
  await manual.getByRole('button', { name: 'Undo' }).click();
  await manual.getByText('Turn the seal round.').waitFor();
  await page.getByRole('searchbox', { name: 'Symptom, cause, model or fault' }).fill('lightning');
  await manual.getByText('Turn the seal round.').waitFor({ state: 'detached' });
  await page.getByRole('searchbox', { name: 'Symptom, cause, model or fault' }).fill('SEAL');
  await manual.getByText('Turn the seal round.').waitFor();
}));

test('who may not write it reads it, and a ticket offers the page that fits', () => withPage({ role: 'technician' }, '/tickets/1032', async ({ page, fake }) => {
  await page.getByRole('heading', { name: 'From the manual' }).waitFor();
  await page.getByText('Fit a gel-filled plug and look at the seal').waitFor();
  // It is the same fault as before, and the repair did not hold.
  const again = part(page, 'The same fault again');
  await again.getByText('The repair under #987 did not hold.').waitFor();
  assert.equal(await again.getByRole('link', { name: '#903' }).getAttribute('href'), '/tickets/903');
  await page.goto(`${fake.url}/follow?view=known`);
  await part(page, 'Manual of frequent faults').getByText('Fit a gel-filled plug').waitFor();
  for (const name of ['Take over', 'Change', 'Take out', 'Write a page']) assert.equal(await page.getByRole('button', { name }).count(), 0, name);
}));
