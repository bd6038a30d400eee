// A ticket through all its states against a running server, its clocks in sight, in both languages: a contract is put in
// service, somebody calls, it is taken, arrived at, paused and gone on with, who pays is asked, a plan with its fee is
// agreed, it is restored, closed and opened again. Needs SITEWARDEN_URL,
// SITEWARDEN_ADMIN_LOGIN and SITEWARDEN_ADMIN_PASSWORD; `deploy/demo --run` sets them.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { OUT, ask, need } from './live.mjs';

const PATIENCE = { timeout: 15_000 };
const CONTRACT = `[contract]
id = "LIVE-1"
name = "Live promise"
kind = "annual"
zone = "Asia/Shanghai"
begins = "2026-01-01"
ends = "2099-12-31"
[[clock]]
name = "answer"
title = "Answer 响应"
start = "reported"
stop = "first_human_reply"
target = "30m"
[[clock]]
name = "arrive"
title = "On site 到场"
start = "reported"
stop = "arrived"
target = "2h"
pauses = [{ reason = "access", approver = "customer" }]
[[clock]]
name = "restore"
title = "Restored 恢复"
start = "reported"
stop = "restored"
target = "8h"
reopen = "continue"
reopen_within = "7d"
pauses = [{ reason = "access", approver = "customer" }]
[warranty]
length = "1y"
[[warranty.anchor]]
event = "acceptance"
[[warranty.exclude]]
cause = "misuse"
charge = "list"
[letter]
rounds = 3
misdiagnosis = "ours"
[prices]
tax = "excluded"
[[price]]
item = "labour"
title = "Labour 人工"
unit = "started_hour"
amount = "200.00"
`;
let browser;
before(async () => { await mkdir(OUT, { recursive: true }); browser = await launch(); });
after(async () => { await browser?.close(); });

test('a ticket goes through all its states with its clocks in sight, in both languages', async (t) => {
  const base = need('SITEWARDEN_URL').replace(/\/$/, '');
  const { page, errors, close } = await open(browser, `${base}/`);
  page.setDefaultTimeout(PATIENCE.timeout);
  t.after(close);
  const picture = (name) => page.screenshot({ path: `${OUT}live-work-${name}.png`, fullPage: true });
  const clock = (title) => page.locator('.clocks li', { hasText: title });
  const say = async (button, fill = async () => {}) => {
    await page.locator('.clocks .acts').getByRole('button', { name: button, exact: true }).click();
    const sheet = page.getByRole('dialog');
    await fill(sheet);
    await sheet.getByRole('button', { name: /^(Record|记录)$/ }).click();
    await sheet.waitFor({ state: 'hidden' });
  };
  let number;

  await t.test('an administrator signs in', async () => {
    await page.locator('input[name=login]').fill(need('SITEWARDEN_ADMIN_LOGIN'));
    await page.locator('input[name=password]').fill(need('SITEWARDEN_ADMIN_PASSWORD'));
    await page.keyboard.press('Enter');
    await page.locator('.strip').waitFor();
  });
  await t.test('a contract is put in service', async () => {
    const site = (await ask(page, 'GET', '/sites')).items[0];
    await ask(page, 'PATCH', `/sites/${site.id}`, { address: '1 Harbour Road', contact_name: 'Ms Zhou', contact_phone: '0756 123 4567' });
    const made = await ask(page, 'POST', '/contracts', { customer_id: site.customer_id, text: CONTRACT, sites: [{ site_id: site.id, zone: '' }] });
    await ask(page, 'POST', `/contracts/${made.id}/accept`, { accepted_on: '2026-01-05', documents: [] });
    await ask(page, 'POST', `/contracts/${made.id}/serve`, {});
    await page.goto(`${base}/contracts?site=${site.id}`);
    await page.getByText('Live promise').first().waitFor();
    await page.goto(`${base}/sites/${site.id}`);
    await page.locator('.head').getByRole('link', { name: 'Contracts' }).waitFor();
  });
  await t.test('somebody calls: the clocks run', async () => {
    await page.goto(`${base}/tickets/new`);
    await page.locator('input[name=title]').fill('Barrier arm bent 道闸杆弯曲');
    await page.getByRole('button', { name: 'Open the ticket' }).or(page.locator('form .btn.main')).first().click();
    await page.waitForURL(/\/tickets\/\d+$/);
    number = page.url().split('/').pop();
    for (const title of ['Answer', 'On site', 'Restored']) await clock(title).first().waitFor();
    await picture('open');
  });
  await t.test('it is taken, and the answer is met', async () => {
    await page.locator('.head [data-key=a]').click();
    await clock('Answer').getByText('met').waitFor();
  });
  await t.test('work cannot go on, and goes on: the time between does not count', async () => {
    await say('Pause…', async (sheet) => {
      await sheet.locator('select[name=pause]').selectOption({ index: 1 });
      await sheet.locator('input[name=by]').fill('Ms Zhou');
    });
    await clock('On site').getByText('paused').first().waitFor();
    await picture('paused');
    await say('Work goes on');
    await clock('On site').getByText('on track').waitFor();
    await clock('On site').locator('.one').click();
    await picture('ledger');
  });
  await t.test('who pays is asked, and a plan with its fee is agreed before work', async () => {
    await page.locator('.deal').getByRole('button', { name: 'Who pays?' }).click();
    let sheet = page.getByRole('dialog');
    await sheet.locator('select[name=cause]').selectOption('misuse');
    await sheet.getByRole('button', { name: 'Record' }).click();
    await page.locator('.deal').getByText('The customer pays').waitFor();
    await page.locator('.deal').getByRole('button', { name: 'Plan and fee' }).click();
    sheet = page.getByRole('dialog');
    await sheet.locator('textarea[name=plan]').fill('Straighten the arm');
    await sheet.locator('input[name=time]').fill('2h30m');
    await sheet.getByRole('button', { name: 'Record' }).click();
    await page.locator('.deal').getByText('waits for the customer').waitFor();
    await page.locator('.deal').getByRole('button', { name: 'Record the answer' }).click();
    sheet = page.getByRole('dialog');
    await sheet.locator('input[name=by]').fill('Ms Zhou');
    await sheet.getByRole('button', { name: 'Record' }).click();
    await page.locator('.deal').getByText('Ms Zhou agrees').waitFor();
    await page.locator('.deal').getByText('¥600.00').first().waitFor();
    await picture('deal');
  });
  await t.test('somebody arrives; from here on in Chinese', async () => {
    await say('Arrived');
    await clock('On site').getByText('met').waitFor();
    await page.getByRole('button', { name: /中/ }).first().click();
    await clock('On site').getByText('达标').waitFor();
    await page.locator('.deal').getByText('客户付费').waitFor();
    await picture('zh');
  });
  await t.test('it is restored, closed, and opened again', async () => {
    await say('已恢复');
    await clock('Restored').getByText('达标').waitFor();
    const act = async (name) => {
      await page.locator('.head').getByRole('button', { name, exact: true }).click();
      const sheet = page.getByRole('dialog');
      await sheet.locator('textarea').fill('已处理');
      await sheet.locator('.btn.main').click();
      await sheet.waitFor({ state: 'hidden' });
    };
    await act('关闭');
    await page.locator('.head .state', { hasText: '已关闭' }).waitFor();
    await picture('closed');
    await act('重新打开');
    await clock('Restored').getByText('正常').waitFor();
    await picture('reopened');
    await say('已恢复');
    await act('关闭');
    await page.locator('.head .state', { hasText: '已关闭' }).waitFor();
    const told = await ask(page, 'GET', `/tickets/${number}/clocks`);
    for (const one of told.clocks) assert.equal(one.ledger.reduce((all, entry) => all + entry.counted_s, 0), one.used_s, 'every second is explained');
  });
  assert.deepEqual(errors.filter((text) => !text.includes('401')), []);
});
