// A server made of invented rows: serves the built page, the REST API in memory and the live stream, so that every page can
// be looked at and tested without the real server. `size` is how many devices there are.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeWorld } from './fake-world.mjs';

const DIST = fileURLToPath(new URL('../../server/web/dist/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json' };
const CSP = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/** Starts a fake server on a free port; `close()` ends it. */
export async function startFake({ size = 10, signedIn = true, role = 'administrator', mustChange = false, language = 'en' } = {}) {
  const world = makeWorld(size, { role, mustChange, language });
  let session = signedIn;
  const streams = new Set();
  let beating = true;
  const say = (event, body) => { for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(body)}\n\n`); };
  const timer = setInterval(() => { if (beating) say('beat', { at: Date.now(), seq: world.seq }); }, 1000);

  async function answer(request, response) {
    const url = new URL(request.url, 'http://fake');
    response.setHeader('content-security-policy', CSP);
    if (!url.pathname.startsWith('/api/')) return file(url.pathname, response);
    const path = url.pathname.slice('/api/v1'.length);
    const json = (status, body) => { response.writeHead(status, { 'content-type': 'application/json' }); response.end(body === undefined ? '' : JSON.stringify(body)); };
    const refuse = (status, code, message, hint) => json(status, { error: { code, message, hint } });
    const parts = [];
    try {
      for await (const part of request) parts.push(part);
    } catch {
      return; // whoever sent it has gone in the middle
    }
    const bytes = Buffer.concat(parts), text = bytes.toString();
    const body = request.headers['content-type'] === 'image/jpeg' ? bytes : text ? JSON.parse(text) : {};
    if (path === '/session' && request.method === 'POST') {
      if (body.password !== 'correct horse battery') return refuse(401, 'wrong_login', 'login or password is wrong');
      session = true;
      return json(200, world.me);
    }
    if (!session) return refuse(401, 'not_signed_in', 'sign in first');
    if (path === '/session') { session = false; return json(204); }
    if (request.method !== 'GET' && request.headers['x-csrf-token'] !== world.me.csrf) return refuse(403, 'csrf', 'the x-csrf-token header is missing or wrong');
    if (path === '/me/password') { world.me.must_change = false; return json(204); }
    if (world.me.must_change && path !== '/me') return refuse(403, 'must_change_password', 'change the password first');
    if (path === '/live') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      streams.add(response);
      request.on('close', () => streams.delete(response));
      response.write(`event: snapshot\ndata: ${JSON.stringify(world.board())}\n\n`);
      return;
    }
    const result = world.answer(request.method, path, url.searchParams, body);
    if (result.delta) say('delta', result.delta);
    if (result.error) return json(result.status, { error: { code: result.error, message: result.message, hint: result.hint }, ...result.more });
    if (result.file) { response.writeHead(200, { 'content-type': 'image/jpeg' }); return response.end(result.file); }
    json(result.status ?? 200, result.body);
  }
  async function file(path, response) {
    const name = normalize(path).replace(/^\/+/, '');
    const found = extname(name) ? name : name === 'tech' ? 'tech.html' : 'noc.html';
    try {
      const bytes = await readFile(join(DIST, found));
      response.writeHead(200, { 'content-type': TYPES[extname(found)] ?? 'application/octet-stream' });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }

  const server = createServer((request, response) => { answer(request, response).catch((error) => { console.error(error); response.writeHead(500).end(); }); });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    world,
    /** Changes one device and tells every open page. */
    change(device, state) { say('delta', world.change(device, state)); },
    /** No word any more, neither beats nor deltas, on open connections. */
    hush() { beating = false; },
    speak() { beating = true; },
    say,
    async close() {
      clearInterval(timer);
      for (const stream of streams) stream.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fake = await startFake({ size: Number(process.argv[2] ?? 200) });
  console.log(fake.url);
}
