// What the tests against a running server share: where it is, where pictures go, and its API under the page's own session.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

/** What `deploy/demo --run` puts into the environment. */
export const need = (name) => process.env[name] ?? assert.fail(`${name} is not set; run this through deploy/demo --run "cd tests/browser && npm run live"`);
export const OUT = fileURLToPath(new URL('./out/', import.meta.url));
/** Asks the server with the page's own session. */
export const ask = (page, method, path, body) => page.evaluate(async ([method, path, body]) => {
  const me = await (await fetch('/api/v1/me')).json();
  const answer = await fetch(`/api/v1${path}`, { method, headers: { 'content-type': 'application/json', 'x-csrf-token': me.csrf }, body: body ? JSON.stringify(body) : undefined });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}, [method, path, body]);
