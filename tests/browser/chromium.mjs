// One Chromium for a test file, and pages that remember what went wrong in them.
import { chromium } from 'playwright-core';

const ARGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Starts the system's Chromium. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });

/** Opens a page in its own profile; `errors` collects console errors, failed scripts and refused contents. */
export async function open(browser, url, { width = 1440, height = 900, theme = 'dark', language = 'en', zone = 'Asia/Shanghai', touch = false } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, timezoneId: zone, reducedMotion: 'reduce', hasTouch: touch, locale: language === 'zh' ? 'zh-CN' : 'en-GB' });
  await context.addInitScript(([chosen, spoken]) => { if (location.protocol === 'http:' && !localStorage.getItem('sitewarden.theme')) { localStorage.setItem('sitewarden.theme', chosen); localStorage.setItem('sitewarden.language', spoken); } }, [theme, language]);
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const errors = [];
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url);
  return { page, errors, close: () => context.close() };
}
