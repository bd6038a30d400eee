// Pictures of the pages from the fake server, for people to look at: `node look.mjs [name…]` writes out/*.png.
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';

const OUT = fileURLToPath(new URL('./out/', import.meta.url));
const DOWN = '/devices/dev-0-9';
const SHOTS = {
  now: { size: 1200, path: '/' }, 'now-light': { size: 1200, path: '/', theme: 'light' }, 'now-few': { size: 10, path: '/' }, 'now-none': { size: 0, path: '/' }, 'now-many': { size: 10000, path: '/' },
  'now-zh': { size: 1200, path: '/', language: 'zh' }, 'now-phone': { size: 200, path: '/', width: 390, height: 844, full: true }, wall: { size: 1200, path: '/wall', width: 1920, height: 1080 },
  device: { size: 10, path: DOWN, full: true }, 'device-phone': { size: 10, path: DOWN, width: 390, height: 844, full: true }, 'device-zh': { size: 10, path: DOWN, language: 'zh', theme: 'light' },
  ticket: { size: 10, path: '/tickets/1031', theme: 'light' }, 'ticket-phone': { size: 10, path: '/tickets/1032', width: 390, height: 844, full: true }, 'ticket-zh': { size: 10, path: '/tickets/1032', language: 'zh' },
  'ticket-way': { size: 10, path: '/tickets/1031', full: true }, 'ticket-way-zh': { size: 10, path: '/tickets/1031', width: 390, height: 844, full: true, language: 'zh', theme: 'light' },
  sla: { size: 200, path: '/sla' }, 'sla-light-zh': { size: 200, path: '/sla', theme: 'light', language: 'zh' }, 'sla-phone': { size: 200, path: '/sla', width: 390, height: 844, full: true }, 'sla-none': { size: 0, path: '/sla' },
  'clocks-ledger': { size: 10, path: '/tickets/1032', theme: 'light', ledger: true, full: true }, 'clocks-phone': { size: 10, path: '/tickets/1032', width: 390, height: 844, full: true, language: 'zh', ledger: true },
  tickets: { size: 200, path: '/tickets' }, 'tickets-phone': { size: 200, path: '/tickets', width: 390, height: 844 }, 'ticket-new': { size: 10, path: '/tickets/new' }, sites: { size: 200, path: '/sites' },
  site: { size: 200, path: '/sites/site-0' }, 'site-phone': { size: 200, path: '/sites/site-0', width: 390, height: 844 }, customers: { size: 10, path: '/customers' }, people: { size: 10, path: '/people', light: true },
  channels: { size: 10, path: '/channels', full: true, click: 2 }, 'channels-zh': { size: 10, path: '/channels', language: 'zh', theme: 'light', full: true, click: 3 }, 'channels-phone': { size: 10, path: '/channels', width: 390, height: 844, full: true, language: 'zh' }, contacts: { size: 10, path: '/people', full: true, click: 3 }, 'contacts-phone': { size: 10, path: '/people', width: 390, height: 844, full: true, language: 'zh', theme: 'light', click: 3 },
  gateways: { size: 200, path: '/gateways' }, 'gateways-light': { size: 200, path: '/gateways?sort=queue', theme: 'light' }, 'gateways-zh': { size: 200, path: '/gateways', language: 'zh', open: true }, 'gateways-none': { size: 0, path: '/gateways' }, 'gateways-many': { size: 10000, path: '/gateways' },
  'gateways-few': { size: 10, path: '/gateways', open: true }, 'gateways-phone': { size: 200, path: '/gateways', width: 390, height: 844, full: true }, 'gateways-phone-zh': { size: 10, path: '/gateways', width: 390, height: 844, language: 'zh', theme: 'light', open: true, full: true },
  ...Object.fromEntries(Object.entries({ '': {}, '-light-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-light-zh': { width: 390, height: 844, language: 'zh', theme: 'light' }, '-far': { around: 'far' } }).map(([suffix, look]) => [`gateway-around${suffix}`, { size: 10, path: '/gateways', open: true, around: true, full: true, ...look }])),
  'gateway-hangs': { size: 10, path: '/gateways', open: true, details: true, full: true }, 'gateway-hangs-phone': { size: 10, path: '/gateways', width: 390, height: 844, language: 'zh', theme: 'light', open: true, details: true, full: true },
  tech: { size: 10, path: '/tech', width: 390, height: 844 }, 'tech-zh': { size: 10, path: '/tech', width: 390, height: 844, language: 'zh', theme: 'light' }, 'tech-job': { size: 10, path: '/tech#00000000-0000-4000-8000-000000000001', width: 390, height: 844, full: true }, 'tech-job-zh': { size: 10, path: '/tech#00000000-0000-4000-8000-000000000001', width: 390, height: 844, full: true, language: 'zh', theme: 'light' },
  'visits': { size: 10, path: '/tickets/1032', visits: true, full: true }, 'visits-zh': { size: 10, path: '/tickets/1032', visits: true, full: true, language: 'zh', theme: 'light' }, 'visits-phone': { size: 10, path: '/tickets/1032', visits: true, full: true, width: 390, height: 844 },
  ...contracts(), ...settled(), ...inspected(), ...lying(), ...followed(),
  ...duty(),
  login: { size: 10, path: '/', signedIn: false }, password: { size: 10, path: '/', mustChange: true }, search: { size: 10, path: '/search?q=cam' },
};
/** The pages around duty and paging: wide dark English, wide light Chinese, a phone each. */
function duty() {
  const pages = { rota: '/rota', log: '/rota/log', handover: '/rota/handover', statement: '/rota/statement', plans: '/escalation', audit: '/audit', maintenance: '/maintenance' };
  const looks = { '': {}, '-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-zh': { width: 390, height: 844, language: 'zh', theme: 'light' } };
  return Object.fromEntries(Object.entries(pages).flatMap(([name, path]) => Object.entries(looks).map(([suffix, look]) => [`${name}${suffix}`, { size: 10, path, full: true, ...look }])));
}
/** The list of contracts with none, few and many, one contract, the calendar; wide and on a phone, in both languages. */
function contracts() {
  const looks = { '': {}, '-light-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-zh': { width: 390, height: 844, language: 'zh', theme: 'light' } };
  const pages = { 'contracts-none': [0, '/contracts'], contracts: [10, '/contracts'], 'contracts-many': [1200, '/contracts'], contract: [10, '/contracts/contract-1'], 'contract-lacks': [10, '/contracts/contract-2'], 'contract-new': [10, '/contracts/new'], calendar: [10, '/calendar'] };
  return Object.fromEntries(Object.entries(pages).flatMap(([name, [size, path]]) => Object.entries(looks).map(([suffix, look]) => [`${name}${suffix}`, { size, path, full: true, ...look }])));
}
/** What is settled with a customer on a ticket. */
function settled() {
  const looks = { '': {}, '-light-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-zh': { width: 390, height: 844, language: 'zh', theme: 'light' } };
  return Object.fromEntries(Object.entries(looks).map(([suffix, look]) => [`deal${suffix}`, { size: 10, path: '/tickets/1032', full: true, settle: true, ...look }]));
}
/** Parts: what lies where, movements, kinds; with nothing yet. */
function lying() {
  const looks = { '': {}, '-light-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-zh': { width: 390, height: 844, language: 'zh', theme: 'light' } };
  const pages = { 'parts-none': { size: 0 }, parts: {}, 'parts-moves': { path: '/parts?view=moves' }, 'parts-loaners': { path: '/parts?view=loaners' }, 'parts-repairs': { path: '/parts?view=repairs' }, 'parts-consignments': { path: '/parts?view=consignments' }, 'parts-reorder': { path: '/parts?view=reorder' }, 'parts-kinds': { path: '/parts?view=kinds' } };
  return Object.fromEntries(Object.entries(pages).flatMap(([name, more]) => Object.entries(looks).map(([suffix, look]) => [`${name}${suffix}`, { size: 10, path: '/parts', full: true, ...look, ...more }])));
}
/** Inspections: the month, the list, one that is opened; wide and on a phone, in both languages. */
function inspected() {
  const looks = { '': {}, '-light-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-zh': { width: 390, height: 844, language: 'zh', theme: 'light' } };
  const pages = { 'inspections-none': { size: 0 }, inspections: {}, 'inspections-many': { size: 1200 }, 'inspections-list': { path: '/inspections?view=list' }, inspection: { open: true, full: false }, 'inspection-training': { path: '/inspections?view=list&one=insp-10', full: false, sheet: true }, 'inspection-plan': { key: 'c', full: false } };
  return Object.fromEntries(Object.entries(pages).flatMap(([name, more]) => Object.entries(looks).map(([suffix, look]) => [`${name}${suffix}`, { size: 10, path: '/inspections', full: true, ...look, ...more }])));
}
/** Call-backs: who waits and what was said, none, and the form; wide and on a phone, in both languages. */
function followed() {
  const looks = { '': {}, '-light-zh': { language: 'zh', theme: 'light' }, '-phone': { width: 390, height: 844 }, '-phone-zh': { width: 390, height: 844, language: 'zh', theme: 'light' } };
  const pages = { 'follow-none': { size: 0 }, follow: {}, 'follow-call': { call: true, full: false }, 'complaints-none': { size: 0, path: '/follow?view=complaints' }, complaints: { path: '/follow?view=complaints' }, complaint: { path: '/follow?view=complaints&open=complaint-4', full: false }, known: { path: '/follow?view=known' }, 'majors-none': { size: 0, path: '/follow?view=majors' }, majors: { path: '/follow?view=majors' }, major: { path: '/follow?view=majors&open=major-3', full: false }, 'major-new': { path: '/follow?view=majors&new', full: false }, 'complaint-new': { path: '/follow?view=complaints&new', full: false } };
  return Object.fromEntries(Object.entries(pages).flatMap(([name, more]) => Object.entries(looks).map(([suffix, look]) => [`${name}${suffix}`, { size: 10, path: '/follow', full: true, ...look, ...more }])));
}
await mkdir(OUT, { recursive: true });
const browser = await launch();
const wanted = process.argv.slice(2);
for (const [name, shot] of Object.entries(SHOTS).filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
  const fake = await startFake(shot);
  const { page, errors, close } = await open(browser, fake.url + shot.path, shot);
  await page.waitForTimeout(900); // only a picture: let charts and the stream settle
  if (shot.open) { await page.locator('[data-row]').first().click(); await page.waitForTimeout(300); }
  if (shot.key) { await page.keyboard.press(shot.key); await page.waitForTimeout(300); }
  if (shot.sheet) { await page.locator('.checklist').scrollIntoViewIfNeeded(); await page.getByRole('button', { name: /Write down|填写/ }).nth(1).click(); await page.waitForTimeout(300); }
  if (shot.details) { await page.locator('main details summary').first().click(); await page.waitForTimeout(300); }
  if (shot.around) {
    await page.locator('main details summary').nth(1).click();
    await page.locator('input[name=net]').fill('10.20.7.0/24');
    await page.locator('input[name=net]').press('Enter');
    await (shot.around === 'far' ? page.locator('main details progress[value]') : page.locator('main .found li').last()).waitFor();
  }
  if (shot.visits) { await page.locator('.visits summary').last().click(); await page.waitForTimeout(300); }
  if (shot.ledger) { await page.locator('.clocks .one').last().click(); await page.waitForTimeout(300); }
  if (shot.settle) {
    const ticket = fake.world.tickets.find((one) => one.number === 1032);
    for (const [kind, body] of [[undefined, { what: 'coverage', cause: 'misuse' }], [undefined, { what: 'offer', plan: 'Take the arm off, straighten it, fit it again', lines: [{ item: 'labour' }] }], ['answer', { accepted: true, by: '赵主任', evidence: 'call' }], [undefined, { what: 'replaced', component: 'arm', with: 'arm-2', consent: '赵主任' }], [undefined, { what: 'loaner_out', device: 'spare-7' }]]) fake.world.deals.settle(ticket, kind, body, 'Li Wei');
    await page.reload();
    await page.locator('.deal').waitFor();
    await page.waitForTimeout(600);
  }
  if (shot.call) { await page.locator('main td .btn').first().click(); await page.waitForTimeout(400); }
  if (shot.click) { await page.locator('main button[aria-expanded]').nth(shot.click - 2).click(); await page.waitForTimeout(400); }
  await page.screenshot({ path: `${OUT}${name}.png`, fullPage: shot.full ?? false });
  console.log(name, errors.length ? errors : 'fine');
  await close();
  await fake.close();
}
await browser.close();
