// An inspection on a phone against a running server and the simulated site: agreed for today, the sheet prefilled by what the
// gateway measures, something wrong with its photo, the customer's signature, and the report in both languages.
// Needs SITEWARDEN_URL, SITEWARDEN_ADMIN_LOGIN and SITEWARDEN_ADMIN_PASSWORD; `deploy/demo --run` sets them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { OUT, ask, need } from './live.mjs';
import { draw, waitFor } from './phone.mjs';

const CONTRACT = `[contract]
id = "LIVE-2"
name = "Live inspections"
kind = "annual"
zone = "Asia/Shanghai"
begins = "2026-01-01"
ends = "2099-12-31"
[[inspect]]
name = "monthly"
from = "commissioned"
every = "1mo"
`;
const WRONG = '机柜门锁损坏 lock of the cabinet broken';
let browser;
before(async () => { await mkdir(OUT, { recursive: true }); browser = await launch(); });
after(async () => { await browser?.close(); });

test('an inspection is filled in on a phone, signed and printed', async (t) => {
  const base = need('SITEWARDEN_URL').replace(/\/$/, '');
  const { page, errors, close } = await open(browser, `${base}/`, { width: 390, height: 844, touch: true });
  page.setDefaultTimeout(15_000);
  t.after(close);
  const picture = (name) => page.screenshot({ path: `${OUT}live-inspection-${name}.png` });
  const next = (name) => page.locator(`[data-next="${name}"]`).click();
  const sheetOf = (one) => ask(page, 'GET', `/inspections/${one.id}/sheet`);
  let one, visit, wrong;

  await t.test('somebody signs in on a phone', async () => {
    await page.locator('input[name=login]').fill(need('SITEWARDEN_ADMIN_LOGIN'));
    await page.locator('input[name=password]').fill(need('SITEWARDEN_ADMIN_PASSWORD'));
    await page.keyboard.press('Enter');
    await page.locator('main').waitFor();
    await waitFor(() => page.evaluate(async () => (await fetch('/api/v1/me')).ok), 'the session');
  });
  await t.test('the contract owes an inspection, and the customer agrees to today', async () => {
    const site = (await ask(page, 'GET', '/sites')).items[0];
    const today = new Date().toLocaleDateString('sv-SE', { timeZone: site.zone });
    const made = await ask(page, 'POST', '/contracts', { customer_id: site.customer_id, text: CONTRACT, sites: [{ site_id: site.id, zone: '' }] });
    await ask(page, 'POST', `/contracts/${made.id}/accept`, { accepted_on: '2026-01-05', documents: [] });
    await ask(page, 'POST', `/contracts/${made.id}/serve`, {});
    await ask(page, 'PUT', '/inspections/anchors', { contract_id: made.id, site_id: site.id, event: 'commissioned', day: today });
    await waitFor(async () => { one = (await ask(page, 'GET', `/inspections?contract_id=${made.id}`)).items.find((each) => each.n === 1 && each.state === 'proposed'); return one; }, 'the first inspection');
    // Today may be a Sunday: then the customer has it moved to today.
    one = await ask(page, 'POST', `/inspections/${one.id}/${one.day === today ? 'agree' : 'move'}`, { day: today, by: 'Ms Zhou', evidence: 'call' });
    visit = one.visit_id;
    await ask(page, 'PUT', `/visits/${visit}/steps/${randomUUID()}`, { kind: 'assigned', members: [(await ask(page, 'GET', '/me')).id] });
  });
  await t.test('at the site the sheet knows what the gateway measures', async () => {
    await page.goto(`${base}/tech#${visit}`);
    for (const step of ['accepted', 'departed', 'arrived']) await next(step);
    await page.locator('.sheet .main').click();
    await next('working');
    await page.getByRole('button', { name: 'Sheet' }).click();
    const { items } = await sheetOf(one);
    const known = items.filter((item) => item.proposed?.answer === 'ok').length;
    assert.ok(known > 0, 'something is known by measurement');
    await page.getByText(/^measured: /).first().waitFor();
    await picture('measured');
    await page.getByRole('button', { name: /^Confirm/ }).click();
    await waitFor(async () => (await sheetOf(one)).items.filter((item) => item.answer?.answer === 'ok').length === known, 'what was confirmed');
  });
  await t.test('one thing is wrong, with its photo; the rest is fine', async () => {
    const rest = (await sheetOf(one)).items.filter((item) => !item.answer && !item.spare);
    const lines = page.locator('.checklist li'), all = (await sheetOf(one)).items;
    wrong = rest.find((item) => !item.proposed && !item.reading && item.kind === 'check');
    assert.ok(wrong, 'not everything is measured');
    for (const item of rest) {
      const line = lines.nth(all.findIndex((each) => each.key === item.key && each.device_id === item.device_id));
      await line.locator('.acts .btn').filter({ hasText: item === wrong ? 'Wrong' : 'Fine' }).first().click();
      if (item !== wrong && !item.reading) continue;
      await line.locator(item === wrong ? 'form [name="note"]' : 'form [name="value"]').fill(item === wrong ? WRONG : '228 V, 3.1 A');
      await line.locator('form .btn.main').click();
      await line.locator('form').waitFor({ state: 'detached' });
    }
    const choice = page.locator('[name="of"]');
    await choice.selectOption({ index: await choice.locator('option').evaluateAll((options, name) => options.findIndex((option) => option.textContent.includes(name)), wrong.en) });
    await page.locator('[name="photo"]').setInputFiles({ name: 'IMG_1.png', mimeType: 'image/png', buffer: await page.screenshot() });
    await waitFor(async () => { const now = await sheetOf(one); return now.open === 0 && now.items.some((item) => item.photos.length > 0); }, 'all answers and the photo');
    await picture('filled');
  });
  await t.test('the customer signs', async () => {
    await next('done');
    const down = page.locator('.sheet .main');
    if (await page.locator('[data-next="signed"]').or(down).first().waitFor().then(() => down.isVisible())) await down.click();
    await next('signed');
    await page.locator('[name="who"]').fill('Ms Zhou');
    await draw(page);
    await picture('signature');
    await page.locator('.sheet .main').click();
    await waitFor(async () => (await ask(page, 'GET', `/inspections/${one.id}`)).state === 'done', 'the inspection done', 90_000); // the engine looks once a minute
  });
  await t.test('what was wrong is a ticket, and the report is there in both languages', async () => {
    const { items, number } = await sheetOf(one);
    const bad = items.filter((item) => item.answer?.answer === 'bad');
    assert.deepEqual(bad.map((item) => [item.key, item.answer.note, item.photos.length]), [[wrong.key, WRONG, 1]]);
    const ticket = await ask(page, 'GET', `/tickets/${bad[0].answer.ticket_number}`);
    assert.notEqual(ticket.state, 'closed');
    for (const lang of ['en', 'zh']) {
      const answer = await page.request.get(`${base}/api/v1/inspections/${one.id}/report.pdf?lang=${lang}`);
      const bytes = await answer.body();
      assert.equal(answer.status(), 200);
      assert.equal(bytes.subarray(0, 5).toString(), '%PDF-');
      await writeFile(`${OUT}inspection-${number}-${lang}.pdf`, bytes);
    }
    await page.goto(`${base}/tickets/${bad[0].answer.ticket_number}`);
    await page.getByText('lock of the cabinet broken').first().waitFor();
    await picture('ticket');
    // Before somebody signs in, the page asks who it is.
    assert.deepEqual(errors.filter((text) => !text.includes('401')), []);
  });
});
