// How long the technician's page takes on a slow phone: the processor held down four times, nothing kept, each time a new
// profile; and once more from what its worker has kept. Usable is when the first job is drawn and a frame after it has run; the
// page notes that by itself, since whoever asks it meanwhile keeps it from working.
import { readFileSync, readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { launch, open } from './chromium.mjs';
import { startFake } from './fake-server.mjs';
import { isKept } from './phone.mjs';

const RUNS = Number(process.argv[2] ?? 9), SLOWER = 4;
const middle = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
/** Runs in the page, before anything of it. */
function note() {
  new MutationObserver((_, watch) => {
    if (!document.querySelector('.card')) return;
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => { globalThis.usableAt = Math.round(performance.now()); }, 0));
  }).observe(document, { childList: true, subtree: true });
}
async function usable(wire) {
  for (;;) {
    await sleep(200);
    const { result } = await wire.send('Runtime.evaluate', { expression: 'globalThis.usableAt' });
    if (result.value !== undefined) return result.value;
  }
}

const browser = await launch();
const fake = await startFake({ size: 10 });
const first = [], again = [], work = [], loaded = new Set();
for (let run = 0; run < RUNS; run++) {
  for (const language of ['en', 'zh']) {
    const { page, close } = await open(browser, 'about:blank', { width: 390, height: 844, touch: true, language });
    const wire = await page.context().newCDPSession(page);
    await wire.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
    if (run === 0 && language === 'en') page.on('request', (request) => { if (new URL(request.url()).pathname.startsWith('/assets/') || request.isNavigationRequest()) loaded.add(new URL(request.url()).pathname); });
    await wire.send('Performance.enable', { timeDomain: 'threadTicks' });
    await page.addInitScript(note);
    await page.goto(`${fake.url}/tech`);
    first.push(await usable(wire));
    work.push(Math.round(1000 * (await wire.send('Performance.getMetrics')).metrics.find((one) => one.name === 'TaskDuration').value));
    page.removeAllListeners('request');
    await isKept(page);
    await page.goto('about:blank');
    await page.goto(`${fake.url}/tech`);
    again.push(await usable(wire));
    await close();
  }
}
await fake.close();
await browser.close();

const dist = new URL('../../server/web/dist/', import.meta.url);
const sizes = [...loaded].map((path) => [path, gzipSync(readFileSync(new URL(path === '/tech' ? 'tech.html' : path.slice(1), dist))).length]);
const noc = readdirSync(new URL('assets/', dist)).filter((name) => /^noc-.*js$/.test(name)).map((name) => readFileSync(new URL(`assets/${name}`, dist)).length);
for (const [path, bytes] of sizes) console.log(`${(bytes / 1000).toFixed(1).padStart(7)} kB  ${path}`);
console.log(`${(sizes.reduce((sum, [, bytes]) => sum + bytes, 0) / 1000).toFixed(1)} kB compressed for the first load; the operations page's entry ${noc.map((bytes) => `${(bytes / 1000).toFixed(0)} kB`).join(', ')} minified`);
console.log(`usable at a processor ×${SLOWER} slower, ${first.length} loads: first median ${middle(first)} ms, best ${Math.min(...first)}; kept median ${middle(again)} ms, best ${Math.min(...again)}; the page's own thread works ${middle(work)} ms, at best ${Math.min(...work)}; load ${loadavg()[0].toFixed(1)}`);
