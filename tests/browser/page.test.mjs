// Every page, wide and narrow, dark and light, in both languages, with nothing, little and ten thousand devices:
// no serious finding of axe, nothing wider than the screen, no error in the console, targets large enough for a thumb.
import AxeBuilder from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

const LOOKS = [
  { width: 1440, height: 900, theme: 'dark', language: 'en' },
  { width: 1440, height: 900, theme: 'light', language: 'zh' },
  { width: 390, height: 844, theme: 'dark', language: 'zh', touch: true },
  { width: 390, height: 844, theme: 'light', language: 'en', touch: true },
];
// path, what must be there before the page counts as loaded
const PAGES = [
  ['/', '.inc'], ['/wall', '.inc'], ['/devices/dev-0-9', '.uplot canvas'], ['/tickets', 'tbody tr'], ['/tickets/new', 'form'], ['/tickets/1031', '.ev'], ['/tickets/1032', '.clocks li'], ['/sla', '.cards li'],
  ['/sites', 'tbody tr'], ['/gateways', '[data-row]'], ['/sites/site-0', 'tbody tr.row'], ['/customers', 'tbody tr'], ['/people', 'form'], ['/channels', 'tbody tr'], ['/contracts', 'tbody tr'], ['/contracts/new', '[data-row]'], ['/contracts/contract-1', '.side li'], ['/contracts/contract-2', '.lacks'], ['/parts', 'tbody tr'], ['/parts?view=moves', 'tbody tr'], ['/parts?view=loaners', 'tbody tr'], ['/parts?view=repairs', 'tbody tr'], ['/parts?view=consignments', 'tbody tr'], ['/parts?view=reorder', 'tbody tr'], ['/follow', 'tbody tr'], ['/follow?view=complaints', 'tbody tr'], ['/follow?view=known', '.manual li'], ['/follow?view=complaints&open=complaint-4', 'dialog .record'], ['/follow?view=complaints&new', 'dialog form'], ['/follow?view=majors', 'tbody tr'], ['/follow?view=majors&open=major-3', 'dialog .record'], ['/follow?view=majors&new', 'dialog form'], ['/inspections', '.month .chip'], ['/inspections?view=list', 'tbody tr'], ['/calendar?month=2026-02&calendar=contract-1/work', '.month li:not(.other)'], ['/calendar?month=2027-01&view=year', '.small li'], ['/search?q=cam', '.box li'], ['/password', 'form'], ['/no/such/page', '.empty'],
  ['/rota', '.days li.now'], ['/rota/log', 'tbody tr'], ['/rota/handover', 'tbody tr'], ['/rota/statement', 'section.panel'], ['/escalation', 'tbody tr'], ['/audit', 'tbody tr'], ['/maintenance', 'tbody tr'],
];
const name = (look) => `${look.width} ${look.theme} ${look.language}`;
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

async function judge(page, errors, look, without = []) {
  const axe = new AxeBuilder({ page });
  for (const part of without) axe.exclude(part);
  const { violations } = await axe.analyze();
  const serious = violations.filter((found) => ['serious', 'critical'].includes(found.impact)).map((found) => `${found.id}: ${found.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? ''})`).join(' | ')}`);
  assert.deepEqual(serious, []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, 'the page is wider than the screen');
  assert.equal(await page.evaluate(() => document.documentElement.lang), look.language === 'zh' ? 'zh-CN' : 'en-GB');
  if (look.touch) {
    const small = await page.evaluate(() => [...document.querySelectorAll('main .btn, main .input, .thumb a, .me, .menu button')]
      .map((part) => ({ part, box: part.getBoundingClientRect() })).filter(({ box }) => box.width > 4 && box.height < 47.5).map(({ part }) => part.outerHTML.slice(0, 120)));
    assert.deepEqual(small, [], 'too small for a thumb');
  }
  assert.deepEqual(errors, []);
}

for (const look of LOOKS) {
  test(`pages at ${name(look)}`, async (t) => {
    const fake = await startFake({ size: 10 });
    const { page, errors, close } = await open(browser, 'about:blank', look);
    for (const [path, ready] of PAGES) {
      await t.test(path, async () => {
        errors.length = 0;
        await page.goto(fake.url + path);
        await page.locator(ready).first().waitFor();
        await judge(page, errors, look);
      });
    }
    await close();
    await fake.close();
  });

  test(`sheets at ${name(look)}`, async (t) => {
    const fake = await startFake({ size: 10 });
    const { page, errors, close } = await open(browser, `${fake.url}/sites/site-0`, look);
    await page.locator('tbody tr.row').first().waitFor();
    const sheets = [['.head .btn.main', 'textarea[name=checks]'], ['section .h2 .btn', 'input[name=gateway]'], ['.head .acts .btn:not(.main, .bare)', 'input[name=zone]']];
    for (const [opener, content] of sheets) {
      await t.test(content, async () => {
        await page.locator(opener).first().click();
        await page.locator(`dialog[open] ${content}`).waitFor();
        await judge(page, errors, look);
        await page.keyboard.press('Escape');
        await page.locator('dialog[open]').waitFor({ state: 'detached' });
      });
    }
    await close();
    await fake.close();
  });

  for (const [label, options, ready] of [['sign-in', { signedIn: false }, 'input[name=login]'], ['first password', { mustChange: true }, 'input[name=again]'], ['nothing watched yet', { size: 0 }, '.empty'], ['a customer', { role: 'customer' }, '.inc']]) {
    test(`${label} at ${name(look)}`, async () => {
      const fake = await startFake({ size: 10, ...options });
      const { page, errors, close } = await open(browser, `${fake.url}/`, look);
      await page.locator(ready).first().waitFor();
      await judge(page, errors.filter((text) => !text.includes('401')), look);
      await close();
      await fake.close();
    });
  }
}

test('tiles', async () => {
  const fake = await startFake({ size: 500 });
  for (const look of LOOKS) {
    const { page, errors, close } = await open(browser, `${fake.url}/`, look);
    await page.locator('.tiles a').first().waitFor();
    await judge(page, errors, look);
    await close();
  }
  await fake.close();
});

test('ten thousand devices', async () => {
  const fake = await startFake({ size: 10_000 });
  for (const look of [LOOKS[0], LOOKS[2]]) {
    const { page, errors, close } = await open(browser, `${fake.url}/`, look);
    await page.locator('.inc').first().waitFor();
    await judge(page, errors, look, ['.tiles']); // judged above, where there are fewer
    const tiles = await page.locator('.tiles a').count();
    assert.ok(tiles >= 990, `the open sites show ${tiles} tiles`);
    await close();
  }
  await fake.close();
});
