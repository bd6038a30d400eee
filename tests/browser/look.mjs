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
  tickets: { size: 200, path: '/tickets' }, 'tickets-phone': { size: 200, path: '/tickets', width: 390, height: 844 }, 'ticket-new': { size: 10, path: '/tickets/new' }, sites: { size: 200, path: '/sites' },
  site: { size: 200, path: '/sites/site-0' }, 'site-phone': { size: 200, path: '/sites/site-0', width: 390, height: 844 }, customers: { size: 10, path: '/customers' }, people: { size: 10, path: '/people', light: true },
  gateways: { size: 200, path: '/gateways' }, 'gateways-light': { size: 200, path: '/gateways?sort=queue', theme: 'light' }, 'gateways-zh': { size: 200, path: '/gateways', language: 'zh', open: true }, 'gateways-none': { size: 0, path: '/gateways' }, 'gateways-many': { size: 10000, path: '/gateways' },
  'gateways-few': { size: 10, path: '/gateways', open: true }, 'gateways-phone': { size: 200, path: '/gateways', width: 390, height: 844, full: true }, 'gateways-phone-zh': { size: 10, path: '/gateways', width: 390, height: 844, language: 'zh', theme: 'light', open: true, full: true },
  login: { size: 10, path: '/', signedIn: false }, password: { size: 10, path: '/', mustChange: true }, search: { size: 10, path: '/search?q=cam' },
};
await mkdir(OUT, { recursive: true });
const browser = await launch();
const wanted = process.argv.slice(2);
for (const [name, shot] of Object.entries(SHOTS).filter(([name]) => wanted.length === 0 || wanted.includes(name))) {
  const fake = await startFake(shot);
  const { page, errors, close } = await open(browser, fake.url + shot.path, shot);
  await page.waitForTimeout(900); // only a picture: let charts and the stream settle
  if (shot.open) { await page.locator('[data-row]').first().click(); await page.waitForTimeout(300); }
  await page.screenshot({ path: `${OUT}${name}.png`, fullPage: shot.full ?? false });
  console.log(name, errors.length ? errors : 'fine');
  await close();
  await fake.close();
}
await browser.close();
